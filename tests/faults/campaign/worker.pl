# One program of the campaign: worker.pl KIND name=NAME DIRECTORY
#
#   count   writes its run and a number to standard output, and beside the log, in DIRECTORY/seen, how far it is
#   sleep   does nothing
#   deaf    ignores SIGTERM
#   flap    ends by itself after a while
#   listen  an event listener that writes down what it is told
use strict;

my ($kind, $name, $directory) = @ARGV;
$name =~ s/^name=//;
srand($$ ^ time);

sub pause { select(undef, undef, undef, $_[0]) }

sub write_out {
    my ($to, $text) = @_;
    while (length $text) {
        my $written = syswrite($to, $text);
        exit 9 unless defined $written;
        substr($text, 0, $written, '');
    }
}

sub count {
    my $run = "$$-" . time;
    open(my $seen, '>', "$directory/seen/$name.$run") or exit 8;
    for (my $number = 1; ; $number++) {
        write_out(\*STDOUT, "$run $number\n");
        sysseek($seen, 0, 0);
        write_out($seen, sprintf('%09d', $number));
        pause(0.03 + rand(0.04));
    }
}

sub take {
    my ($count) = @_;
    my $text = '';
    while (length($text) < $count) {
        sysread(STDIN, $text, $count - length($text), length($text)) or exit 0;
    }
    return $text;
}

sub listen_on {
    open(my $record, '>>', "$directory/$name.events") or exit 8;
    while (1) {
        write_out(\*STDOUT, "READY\n");
        my $head = '';
        $head .= take(1) until $head =~ /\n\z/;
        my ($length) = $head =~ /len:(\d+)/;
        my ($event) = $head =~ /eventname:(\S+)/;
        my ($serial) = $head =~ /poolserial:(\d+)/;
        write_out($record, "$serial $event " . take($length) . "\n");
        write_out(\*STDOUT, "RESULT 2\nOK");
    }
}

$SIG{TERM} = 'IGNORE' if $kind eq 'deaf';
count() if $kind eq 'count';
listen_on() if $kind eq 'listen';
if ($kind eq 'flap') {
    pause(1 + rand(4));
    exit int(rand(3));
}
sleep 3600 while 1;
