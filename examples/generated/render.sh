#!/bin/sh
# Writes the config tree from the inventory: on each host that does dns, a name server with the names of all hosts.
set -eu
cd "$(dirname "$0")"

# Prints the inventory without comments.
hosts() { sed -e 's/#.*//' -e '/^ *$/d' inventory; }

nsd_conf() { # HOST
    cat <<END
server:
    identity: "$1"
    server-count: 1
    zonesdir: "/var/lib/deptool/apps/nsd/current"
    log-only-syslog: yes
    username: ""
    pidfile: ""
    database: ""
    xfrdfile: ""
    xfrdir: "/run/nsd"
    zonelistfile: "/run/nsd/zone.list"
remote-control:
    control-enable: no
zone:
    name: "home.arpa"
    zonefile: "home.arpa.zone"
END
}

zone() {
    echo '@ 300 IN SOA ns1 hostmaster 1 14400 3600 1209600 300'
    hosts | while read -r name address roles; do
        case $roles in *dns*) echo "@ 300 IN NS $name" ;; esac
        echo "$name 300 IN A $address"
    done
}

# A new tree replaces the old one when it is complete, without hosts removed from the inventory.
rm -rf prod.new
mkdir prod.new
hosts | while read -r name address roles; do
    case $roles in *dns*) ;; *) continue ;; esac
    app=prod.new/$name/nsd
    mkdir -p "$app/systemd"
    echo '{"systemd": {"units_enabled": ["nsd.service"]}}' >"$app/manifest.json"
    cp nsd.service "$app/systemd/"
    nsd_conf "$name" >"$app/nsd.conf"
    zone >"$app/home.arpa.zone"
done
rm -rf prod
mv prod.new prod
