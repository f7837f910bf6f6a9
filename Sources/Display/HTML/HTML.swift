import Model

/// Pieces of a page.
enum HTML {
    /// The head of the page, with a style for bright and dark screens, wide and narrow ones. The policy has browsers load nothing and run
    /// nothing, whatever should get past the escaping.
    static func head(title: String) -> String {
        """
        <!doctype html>
        <html lang=en>
        <meta charset=utf-8>
        <meta name=viewport content="width=device-width, initial-scale=1">
        <meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">
        <title>\(text(title))</title>
        <style>\(style)</style>
        <main>

        """
    }

    /// Text that is shown as it is, with control characters made visible.
    static func text(_ text: String) -> String {
        var result = ""
        for scalar in visible(text).unicodeScalars {
            switch scalar {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Lines as they are.
    static func preformatted(_ lines: String) -> String {
        let lines = lines.split(separator: "\n", omittingEmptySubsequences: false).map { text(String($0)) }
        return "<pre>\(lines.joined(separator: "\n"))</pre>\n"
    }

    private static let style = """
        :root{color-scheme:light dark;--line:light-dark(#d0d7de,#3d444d);--soft:light-dark(#f6f8fa,#151b23);\
        --faint:light-dark(#59636e,#9198a1);--old:light-dark(#ffebe9,#3c1618);--new:light-dark(#dafbe1,#12301c)}
        body{font:15px/1.5 system-ui,sans-serif;margin:0}
        main{max-width:1400px;margin:0 auto;padding:1em}
        h1{font-size:1.5em}nav ul{columns:22em}h2{font-size:1.1em;display:inline}
        summary{cursor:pointer;padding:.4em 0;overflow-wrap:anywhere}
        section{border-top:1px solid var(--line)}
        pre,table{font:12.5px/1.45 ui-monospace,monospace}
        pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.8em;overflow-x:auto}
        i,nav li{color:var(--faint)}i{font-style:normal}
        .file{border:1px solid var(--line);border-radius:6px;margin:.6em 0}
        .file>summary{background:var(--soft);padding:.4em .8em;font:13px/1.5 ui-monospace,monospace;border-radius:6px}
        .file>p{padding:0 .8em}
        table{border-collapse:collapse;width:100%;table-layout:fixed}
        col:nth-child(odd){width:3.5em}th{text-align:right;font-weight:normal;color:var(--faint);padding:0 .6em 0 0;vertical-align:top;user-select:none}
        td{white-space:pre-wrap;overflow-wrap:anywhere;padding:0 .6em;vertical-align:top}
        .h td{color:var(--faint);background:var(--soft)}
        .d{background:var(--old)}.a{background:var(--new)}.e{background:var(--soft)}
        @media(max-width:800px){main{padding:.5em}table,tbody,tr,td{display:block}th,.e,.c td+th+td,.c td~td{display:none}\
        td::before{content:"  "}.h td::before{content:none}td.d::before{content:"- "}td.a::before{content:"+ "}}
        @media print{details:not([open])>*{display:block}}
        """
}
