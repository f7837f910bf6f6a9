# A Homebrew formula, for macOS and Linux. Untested: no release was ever built by it, and Deptool was never built on a Mac.
#
# Before it is used, the two addresses need the place where the releases are, and the resource the SHA-256 in SHA256SUMS.
class Deptool < Formula
  desc "Deploy configuration to servers over SSH, with an exact plan and rollback"
  homepage "https://deptool.invalid"
  url "https://deptool.invalid/deptool.git", tag: "v0.1.0"
  license "Apache-2.0"

  depends_on "pkgconf" => :build
  depends_on xcode: ["26.0", :build]
  depends_on macos: :sequoia
  depends_on "libgit2"
  depends_on "libssh2"
  depends_on "openssl@3"
  uses_from_macos "swift" => :build
  uses_from_macos "zlib"

  # The programs that Deptool brings to hosts. They are for Linux, whatever it runs on itself, so they come from a release.
  resource "agents" do
    url "https://deptool.invalid/deptool-0.1.0-agents.tar.gz"
  end

  def install
    resource("agents").stage(buildpath/"build/agents")
    ENV["DEPTOOL_AGENTS"] = buildpath/"build/agents"
    system "Scripts/build-notes", buildpath/"build/agents"
    # Homebrew has a sandbox of its own.
    arguments = OS.mac? ? ["--disable-sandbox"] : ["--static-swift-stdlib"]
    system "swift", "build", "-c", "release", "--product", "deptool", *arguments
    bin.install ".build/release/deptool"
    system "Scripts/man-pages", bin/"deptool", man1
    generate_completions_from_executable(bin/"deptool", "--generate-completion-script", shell_parameter_format: :arg)
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/deptool --version").lines.first.chomp
    system bin/"deptool", "self-check"
    (testpath/"prod/web1/app").mkpath
    (testpath/"prod/web1/app/manifest.json").write "{}"
    system bin/"deptool", "init", "prod"
    assert_match "add app", shell_output("#{bin}/deptool plan")
  end
end
