#!/usr/bin/perl
# Answers HTTP requests with a greeting. Stands in for a program of your own: systemd passes it the socket.
use strict;
use warnings;
use FindBin;
use IO::Socket::INET;
use IO::Socket::UNIX;

($ENV{LISTEN_FDS} // 0) == 1 or die "shop: no socket, start shop.socket\n";
my $listener = IO::Socket::INET->new_from_fd(3, 'r+') or die "shop: socket: $!\n";

open my $settings, '<', "$FindBin::Bin/shop.conf" or die "shop: shop.conf: $!\n";
my ($greeting) = map { /^greeting=(.+)/ ? $1 : () } <$settings>;
defined $greeting or die "shop: shop.conf has no greeting\n";
open my $secret, '<', ($ENV{CREDENTIALS_DIRECTORY} // '') . '/db-password' or die "shop: the password of the database: $!\n";
my $password = <$secret> // '';  # For the database that a shop would have.
my $answer = "$greeting, this is release RELEASE\n";

# Requests that are begun are answered; systemd keeps the others for the next one of us.
my $stopping;
$SIG{TERM} = sub { $stopping = 1 };
IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET})->send('READY=1') if $ENV{NOTIFY_SOCKET};
until ($stopping) {
    my $client = $listener->accept or next;
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
    print $client "HTTP/1.0 200 OK\r\nContent-Length: ", length $answer, "\r\n\r\n", $answer;
}
__END__
