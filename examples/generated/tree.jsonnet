// The config tree from the inventory, as an object of paths and texts: on each host that does dns, a name server that
// knows all hosts. ./render-jsonnet writes it.
local words(line) = [word for word in std.split(std.split(line, '#')[0], ' ') if word != ''];
local hosts = [
  { name: line[0], address: line[1], roles: line[2:] }
  for line in std.map(words, std.split(importstr 'inventory', '\n'))
  if line != []
];
local dns = [host for host in hosts if std.member(host.roles, 'dns')];

local nsd_conf(host) = |||
  server:
      identity: "%(name)s"
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
||| % host;

local zone = std.lines(
  ['@ 300 IN SOA ns1 hostmaster 1 14400 3600 1209600 300']
  + std.flattenArrays([
    (if std.member(host.roles, 'dns') then ['@ 300 IN NS ' + host.name] else [])
    + ['%(name)s 300 IN A %(address)s' % host]
    for host in hosts
  ])
);

{
  // jsonnet ends each file with a newline of its own.
  [host.name + '/nsd/' + file.path]: std.rstripChars(file.text, '\n')
  for host in dns
  for file in [
    { path: 'manifest.json', text: '{"systemd": {"units_enabled": ["nsd.service"]}}\n' },
    { path: 'systemd/nsd.service', text: importstr 'nsd.service' },
    { path: 'nsd.conf', text: nsd_conf(host) },
    { path: 'home.arpa.zone', text: zone },
  ]
}
