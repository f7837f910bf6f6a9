import Foundation
import Testing

extension EndToEnd {
    /// `examples/web`, deployed to a web server that was there before.
    @Suite final class WebExampleTests {
        let site: Site
        let cluster: Cluster
        let web1: Host

        init() throws {
            site = try Site()
            cluster = try Cluster(site)
            web1 = try site.boot("web1", .services)
        }

        @Test func `a web server is taken over and configured, and always answers`() throws {
            // The file as the distribution has it, and then ours in its place.
            let distribution = try web1.read("/etc/nginx/nginx.conf")
            try cluster.write("web1/nginx/nginx.conf", distribution)
            try cluster.write("web1/nginx/manifest.json", #"{"symlinks": {"/etc/nginx/nginx.conf": "nginx.conf"}}"#)
            try cluster.deploy().require(0)
            #expect(try web1.run("readlink /etc/nginx/nginx.conf") == "/var/lib/deptool/apps/nginx/current/nginx.conf\n")
            #expect(try web1.read("/etc/nginx/nginx.conf") == distribution)
            try cluster.copyExample("web")
            try cluster.run("./certificates")
            #expect(try cluster.run("git init --quiet && git status --porcelain --untracked-files=all | grep -E 'tls|ca/' || true") == "")
            try cluster.deploy().require(0)

            // Both sites, by our own authority; other names get nothing.
            try waitFor("Three kinds of tea.", from: "https://shop.example.com/")
            try waitFor("Nothing new.", from: "https://blog.example.com/")
            try waitFor("301 Moved Permanently", from: "http://shop.example.com/")
            #expect(try curl("https://other.example.com/").code == 35)

            // Neither a good change nor a bad one leaves a client without an answer. A worker of nginx that ends can close an
            // idle HTTP/2 connection with a GOAWAY, after which the client asks again. Browsers do; curl ends with 16.
            let client = try cluster.startScript(
                """
                ask() {
                    curl --silent --output /dev/null --write-out '%{http_code} %{exitcode}\\n' --max-time 10 --cacert ca/ca.crt \\
                        --resolve 'shop.example.com:443:\(web1.address)' https://shop.example.com/ || true
                }
                until [ -e stop ]; do
                    answer=$(ask)
                    if [ "$answer" = '000 16' ]; then answer=$(ask); fi
                    echo "$answer"
                done
                """)
            try client.expect("200 0\n")
            let process = try web1.run("systemctl show --value -p MainPID nginx")
            try cluster.edit("web1/nginx/nginx.conf", replacing: "gzip on;", with: "gzip on;\n    add_header x-change good;")
            let reload = try cluster.deploy().require(0)
            #expect(
                reload.text.hasPrefix(
                    """
                    web1
                        update nginx
                            ~ nginx.conf
                            check /usr/sbin/nginx -t -q before anything changes
                            reload unit nginx.service (nginx.conf changed)
                            probe http://127.0.0.1:80/ as shop.example.com
                            probe http://127.0.0.1:80/ as blog.example.com

                    """), "\(reload)")
            #expect(try curl("https://shop.example.com/", "--include").text.contains("x-change: good"))
            try client.expect("200 0\n")

            // A mistake that `nginx -t` finds changes nothing.
            let before = try web1.snapshot()
            try cluster.edit("web1/nginx/nginx.conf", replacing: "x-change good", with: "x-change bad; listen nowhere")
            var output = try cluster.deploy().require(1)
            #expect(output.text.contains("\nweb1: check `/usr/sbin/nginx -t -q` of nginx failed (status 1):\n    | "), "\(output)")
            #expect(output.text.contains(#""listen" directive is not allowed here in /etc/nginx/nginx.conf:19"#), "\(output)")
            #expect(output.text.hasSuffix("\n\nNothing was changed.\n"), "\(output)")
            expect(try web1.snapshot(), is: before)
            try cluster.edit("web1/nginx/nginx.conf", replacing: "x-change bad; listen nowhere", with: "x-change good")
            try client.expect("200 0\n")

            // A mistake that only nginx finds, a port that sshd has, rolls back.
            let site = "web1/nginx/sites/shop.example.com.conf"
            try cluster.edit(site, replacing: "listen 443 ssl http2;", with: "listen 22 ssl;")
            output = try cluster.deploy().require(3)
            #expect(output.text.contains("web1: rolled back: unit nginx.service could not reload (exit-code)\n"), "\(output)")
            #expect(output.text.contains("    | nginx keeps the configuration that it had; "), "\(output)")
            expect(try web1.snapshot(), is: before)
            try cluster.edit(site, replacing: "listen 22 ssl;", with: "listen 443 ssl http2;")
            #expect(try curl("https://shop.example.com/", "--include").text.contains("x-change: good"))
            try client.expect("200 0\n")

            try cluster.write(outside: "stop", "")
            let answers = Set(try client.finish().require(0).text.split(separator: "\n"))
            #expect(answers == ["200 0"])
            #expect(try web1.run("systemctl show --value -p MainPID nginx") == process)
            #expect(try web1.state(of: "nginx") == "active")

            // A mistake that nginx accepts and a probe finds rolls back as well.
            try cluster.edit(site, replacing: "server_name shop.example.com;", with: "server_name shop.example.con;")
            output = try cluster.deploy().require(3)
            let answer = "http://127.0.0.1:80/ as shop.example.com gave the wrong answer: closed without an answer"
            #expect(output.text.contains("web1: rolled back: \(answer)\n"), "\(output)")
            expect(try web1.snapshot(), is: before)
            try waitFor("Three kinds of tea.", from: "https://shop.example.com/")
            try cluster.edit(site, replacing: "server_name shop.example.con;", with: "server_name shop.example.com;")

            // Somebody stops nginx.
            try web1.run("systemctl stop nginx")
            let verify = try cluster.deptool("verify", "--exit-code", "--ssh-config", cluster.sshConfiguration).require(2)
            #expect(verify.text.contains("    nginx\n        ! unit nginx.service is stopped\n"), "\(verify)")
            try cluster.deploy("--repair").require(0)
            try waitFor("Three kinds of tea.", from: "https://shop.example.com/")

            // Pages are an app of their own: new ones appear immediately, without a restart.
            let invocation = try web1.invocation(of: "nginx")
            try cluster.edit("web1/pages/shop/index.html", replacing: "Three", with: "Four")
            try cluster.deploy().require(0)
            #expect(try curl("https://shop.example.com/").text.contains("Four kinds of tea."))
            #expect(try web1.invocation(of: "nginx") == invocation)

            // Logs are rotated, by the distribution's logrotate, and nginx writes to the new one.
            #expect(try web1.run("stat -c '%a %U:%G' /var/log/sites") == "750 www-data:adm\n")
            try web1.run("logrotate --force /etc/logrotate.conf")
            try web1.wait(for: "test -s /var/log/sites/shop.log.1 -a -e /var/log/sites/shop.log")
            _ = try curl("https://shop.example.com/")
            try web1.wait(for: "test -s /var/log/sites/shop.log")

            // The way out: the host's own file again, in place of the link that goes.
            try cluster.remove("web1")
            try cluster.deploy("--remove-host", "web1").require(0)
            #expect(try web1.links() == "")
            #expect(try web1.attempt("ls /var/lib/deptool/apps").text == "")
        }

        private func curl(_ url: String, _ options: String...) throws -> Output {
            try Program(
                ["sh", "-c", try command(for: url, options)], in: cluster.directory, environment: cluster.environment
            ).finish()
        }

        /// A reload is over before the last request is answered the old way.
        private func waitFor(_ text: String, from url: String, _ options: String...) throws {
            try cluster.startScript("until \(try command(for: url, options)) | grep -F '\(text)'; do sleep 0.05; done")
                .finish().require(0)
        }

        private func command(for url: String, _ options: [String]) throws -> String {
            let name = try #require(URL(string: url)?.host())
            return "curl --silent --max-time 10 --cacert ca/ca.crt \(options.joined(separator: " ")) "
                + [80, 443].map { "--resolve \(name):\($0):\(web1.address) " }.joined() + url
        }
    }
}
