#!/usr/bin/perl
# Counts visits and returns their number over HTTP on port 8000. The count is in the database. Stands in for a program
# of your own.
use strict;
use warnings;
use IO::Socket::INET;

open my $settings, '<', '/etc/visits.conf' or die "visits: visits.conf: $!\n";
my ($greeting) = map { /^greeting=(.+)/ ? $1 : () } <$settings>;
defined $greeting or die "visits: visits.conf has no greeting\n";

open my $secret, '<', '/run/secrets/db-password' or die "visits: the password of the database: $!\n";
my $password = <$secret> // '';

my $listener = IO::Socket::INET->new(LocalPort => 8000, Listen => 16, ReuseAddr => 1) or die "visits: port 8000: $!\n";
$SIG{TERM} = sub { exit };
$SIG{PIPE} = 'IGNORE';
while (1) {
    my $client = $listener->accept or next;
    my ($path) = (<$client> // '') =~ /^GET (\S*)/;
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
    my $count = database(($path // '') eq '/health' ? 'GET visits' : 'INCR visits');
    my ($status, $answer) = defined $count
        ? ('200 OK', "$greeting. Visits: $count. This is release RELEASE.\n")
        : ('503 Service Unavailable', "The database does not answer.\n");
    print $client "HTTP/1.0 $status\r\nContent-Length: ", length $answer, "\r\n\r\n", $answer;
}

# Asks Redis, and returns the number that it answers, 0 for none.
sub database {
    my $redis = IO::Socket::INET->new(PeerAddr => 'db', PeerPort => 6379, Timeout => 5) or return;
    print $redis "AUTH $password\r\n$_[0]\r\nQUIT\r\n";
    while (defined(my $line = <$redis>)) {
        return $1 if $line =~ /^:?(\d+)\r/;
        return 0 if $line =~ /^\$-1\r/;
    }
    return;
}
