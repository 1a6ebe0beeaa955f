# Plays the round with Perl's RPC::XML::Client: round.pl ROUND PORT USER PASSWORD.

use strict;
use warnings;
use JSON::PP ();
use RPC::XML;
use RPC::XML::Client;
use Time::HiRes qw(sleep time);

$RPC::XML::ENCODING = 'utf-8';

sub connect_as {
    my ($port, $user, $password) = @_;
    my $client = RPC::XML::Client->new("http://127.0.0.1:$port/RPC2");
    $client->credentials('default', $user, $password);
    return $client;
}

# Text that looks like a number would be sent as one, and a boolean as nothing a server knows.
sub argument {
    my ($value) = @_;
    return RPC::XML::boolean->new($value ? 1 : 0) if JSON::PP::is_bool($value);
    return RPC::XML::array->new(map { argument($_) } @$value) if ref $value eq 'ARRAY';
    return $value =~ /^-?\d+$/ ? $value : RPC::XML::string->new($value) if ref $value ne 'HASH';
    if (exists $value->{base64}) {
        my $bytes = $value->{base64};
        utf8::encode($bytes);
        return RPC::XML::base64->new($bytes);
    }
    return RPC::XML::struct->new(map { $_ => argument($value->{$_}) } keys %$value);
}

# Booleans stay booleans, everything else is what the client makes of it.
sub plain {
    my ($value) = @_;
    return $value->value ? JSON::PP::true : JSON::PP::false if $value->isa('RPC::XML::boolean');
    return $value->value;
}

sub answer {
    my ($client, $step) = @_;
    my $answer = $client->send_request($step->{call}, map { argument($_) } @{ $step->{with} // [] });
    return { failure => $answer } if !ref $answer;
    return { fault => $answer->code, text => $answer->string } if $answer->is_fault;
    return { value => plain($answer) };
}

sub play {
    my ($client, $step) = @_;
    my $end = time + 30;
    while (1) {
        my $told = answer($client, $step);
        return $told if !defined $step->{until} || time > $end;
        return $told if index($told->{value} // '', $step->{until}) >= 0;
        sleep 0.02;
    }
}

my ($path, $port, $user, $password) = @ARGV;
my $json = JSON::PP->new->canonical->utf8;
open my $file, '<', $path or die "$path: $!";
my $round = $json->decode(do { local $/; <$file> });
my $refused = connect_as($port, $user, 'wrong')->send_request('supervisor.getState');
print $json->encode({ title => 'a wrong password', told => $refused }), "\n";
my $client = connect_as($port, $user, $password);
for my $step (@$round) {
    print $json->encode({ title => $step->{title}, told => play($client, $step) }), "\n";
}
