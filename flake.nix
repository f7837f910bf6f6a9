# A Nix flake. Untested: nothing was ever built by it.
#
# It takes the program of a release and has it find Nix's glibc and ssh. Building it from source would need Swift 6.3, with the standard library
# of Embedded Swift for the agents; nixpkgs has Swift 5.10. Name the release in place of the addresses below:
#
#   nix build --override-input release-x86_64-linux tarball+file:///path/deptool-VERSION-linux-x86_64.tar.gz
{
  description = "Deploy configuration to servers over SSH";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";
  inputs.release-x86_64-linux = {
    url = "https://deptool.invalid/deptool-0.1.0-linux-x86_64.tar.gz";
    flake = false;
  };
  inputs.release-aarch64-linux = {
    url = "https://deptool.invalid/deptool-0.1.0-linux-aarch64.tar.gz";
    flake = false;
  };

  outputs =
    { nixpkgs, ... }@inputs:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
    in
    {
      packages = nixpkgs.lib.genAttrs systems (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        {
          default = pkgs.stdenv.mkDerivation {
            pname = "deptool";
            version = "0.1.0";
            src = inputs."release-${system}";
            nativeBuildInputs = [
              pkgs.autoPatchelfHook
              pkgs.makeWrapper
            ];
            dontStrip = true;
            installPhase = ''
              runHook preInstall
              mkdir -p $out
              cp -r bin share $out
              wrapProgram $out/bin/deptool --prefix PATH : ${pkgs.lib.makeBinPath [ pkgs.openssh ]}
              runHook postInstall
            '';
            meta = {
              description = "Deploy configuration to servers over SSH";
              license = pkgs.lib.licenses.asl20;
              mainProgram = "deptool";
              platforms = systems;
            };
          };
        }
      );
    };
}
