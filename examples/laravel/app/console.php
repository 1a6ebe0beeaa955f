<?php
// What every command needs: its arguments, a line in the log, the connection to Redis.

declare(strict_types=1);

/** Splits `redis --queue=a,b --tries=3` into words and options. */
function arguments(array $words): array
{
    $options = [];
    foreach ($words as $word) {
        if (preg_match('/^--([a-z-]+)(?:=(.*))?$/', $word, $found)) {
            $options[$found[1]] = $found[2] ?? '1';
        } else {
            $options[] = $word;
        }
    }
    return $options;
}

function say(string $text): void
{
    fwrite(STDOUT, date('[Y-m-d H:i:s] ') . $text . "\n");
}

function redis(): Redis
{
    $redis = new Redis();
    $socket = getenv('REDIS_SOCKET');
    if ($socket !== false && $socket !== '') {
        $redis->connect($socket);
    } else {
        $redis->connect(getenv('REDIS_HOST') ?: '127.0.0.1', (int) (getenv('REDIS_PORT') ?: 6379));
    }
    return $redis;
}
