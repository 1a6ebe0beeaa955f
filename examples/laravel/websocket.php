<?php
// artisan websocket:serve: a WebSocket service (RFC 6455) that answers each message with itself.
//
// WEBSOCKET_LISTEN says where: `tcp://127.0.0.1:6001` if unset, or `unix:///path`.

declare(strict_types=1);

final class Client
{
    public string $input = '';
    public bool $upgraded = false;

    /** @param resource $stream */
    public function __construct(public $stream)
    {
    }
}

final class WebSocketServer
{
    private const LARGEST_MESSAGE = 1 << 20;

    private bool $quit = false;
    /** @var Client[] */
    private array $clients = [];

    /** @param resource $listener */
    public function __construct(private $listener)
    {
    }

    public function run(): int
    {
        pcntl_async_signals(true);
        foreach ([SIGTERM, SIGQUIT, SIGINT] as $signal) {
            pcntl_signal($signal, function (): void {
                $this->quit = true;
            });
        }
        while (!$this->quit) {
            $this->turn();
        }
        foreach ($this->clients as $client) {
            $this->send($client, 0x8, pack('n', 1001));
        }
        say('websocket stops');
        return 0;
    }

    private function turn(): void
    {
        $ready = [$this->listener, ...array_map(fn (Client $client) => $client->stream, $this->clients)];
        $none = null;
        // A signal ends the wait early, with a warning that tells nothing new.
        if (!@stream_select($ready, $none, $none, 30)) {
            return;
        }
        foreach ($ready as $stream) {
            if ($stream === $this->listener) {
                $this->accept();
            } else {
                $this->read($this->clients[(int) $stream]);
            }
        }
    }

    private function accept(): void
    {
        $stream = @stream_socket_accept($this->listener, 0);
        if ($stream !== false) {
            stream_set_blocking($stream, false);
            stream_set_timeout($stream, 5);
            $this->clients[(int) $stream] = new Client($stream);
        }
    }

    private function read(Client $client): void
    {
        $data = fread($client->stream, 65536);
        if ($data === '' || $data === false) {
            $this->drop($client);
            return;
        }
        $client->input .= $data;
        if (strlen($client->input) > self::LARGEST_MESSAGE + 14) {
            $this->drop($client);
        } elseif ($client->upgraded || $this->handshake($client)) {
            while ($this->frame($client)) {
            }
        }
    }

    private function handshake(Client $client): bool
    {
        $end = strpos($client->input, "\r\n\r\n");
        if ($end === false) {
            return false;
        }
        $head = substr($client->input, 0, $end + 2);
        $client->input = substr($client->input, $end + 4);
        if (!preg_match('/^Sec-WebSocket-Key:\s*(\S+)\s*$/mi', $head, $key)) {
            fwrite($client->stream, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            $this->drop($client);
            return false;
        }
        $accept = base64_encode(sha1($key[1] . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11', true));
        fwrite($client->stream, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            . "Connection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
        return $client->upgraded = true;
    }

    /** Answers one frame of the input; false if there is no whole one. */
    private function frame(Client $client): bool
    {
        $frame = $this->parse($client->input);
        if ($frame === null) {
            return false;
        }
        [$opcode, $payload, $size] = $frame;
        $client->input = substr($client->input, $size);
        switch ($opcode) {
            case 0x1:
            case 0x2:
                $this->send($client, $opcode, $payload);
                return true;
            case 0x8:
                $this->send($client, 0x8, substr($payload, 0, 2));
                $this->drop($client);
                return false;
            case 0x9:
                $this->send($client, 0xA, $payload);
                return true;
            default:
                return true;
        }
    }

    /** Opcode, payload and size of the first frame, or null while it is incomplete. */
    private function parse(string $input): ?array
    {
        if (strlen($input) < 2) {
            return null;
        }
        $length = ord($input[1]) & 0x7F;
        $extra = match ($length) {
            126 => 2,
            127 => 8,
            default => 0,
        };
        $masked = (ord($input[1]) & 0x80) !== 0;
        $start = 2 + $extra + ($masked ? 4 : 0);
        if (strlen($input) < $start) {
            return null;
        }
        if ($extra > 0) {
            $length = unpack($extra === 2 ? 'n' : 'J', substr($input, 2, $extra))[1];
        }
        if (strlen($input) < $start + $length) {
            return null;
        }
        $payload = substr($input, $start, $length);
        if ($masked && $length > 0) {
            $mask = substr($input, $start - 4, 4);
            $payload ^= substr(str_repeat($mask, intdiv($length, 4) + 1), 0, $length);
        }
        return [ord($input[0]) & 0x0F, $payload, $start + $length];
    }

    private function send(Client $client, int $opcode, string $payload): void
    {
        $length = strlen($payload);
        $head = match (true) {
            $length < 126 => chr($length),
            $length < 65536 => chr(126) . pack('n', $length),
            default => chr(127) . pack('J', $length),
        };
        @fwrite($client->stream, chr(0x80 | $opcode) . $head . $payload);
    }

    private function drop(Client $client): void
    {
        unset($this->clients[(int) $client->stream]);
        fclose($client->stream);
    }
}

return function (): int {
    $address = getenv('WEBSOCKET_LISTEN') ?: 'tcp://127.0.0.1:6001';
    if (str_starts_with($address, 'unix://')) {
        @unlink(substr($address, strlen('unix://')));
    }
    $listener = stream_socket_server($address, $code, $reason);
    if ($listener === false) {
        fwrite(STDERR, "cannot listen on $address: $reason\n");
        return 1;
    }
    say("websocket listens on $address");
    return (new WebSocketServer($listener))->run();
};
