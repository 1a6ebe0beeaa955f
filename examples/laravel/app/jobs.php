<?php
// The shop's jobs by name. A job that throws has failed and is tried again.

declare(strict_types=1);

return [
    // Takes `milliseconds`, then leaves its id in the list `done`.
    'record' => function (array $data, Redis $redis): void {
        work_for((int) ($data['milliseconds'] ?? 0));
        $redis->rPush('done', (string) $data['id']);
    },
    // Throws as long as it was not tried `attempts` times.
    'stubborn' => function (array $data, Redis $redis, int $attempt): void {
        if ($attempt < (int) $data['attempts']) {
            throw new RuntimeException("attempt $attempt of {$data['attempts']}");
        }
        $redis->rPush('done', (string) $data['id']);
    },
    'heartbeat' => function (array $data, Redis $redis): void {
        $redis->set('heartbeat', (string) time());
    },
];

/** Keeps busy for a while; a signal cuts a sleep short, so the rest is slept again. */
function work_for(int $milliseconds): void
{
    $end = microtime(true) + $milliseconds / 1000;
    while (($left = $end - microtime(true)) > 0) {
        usleep((int) ($left * 1e6));
    }
}
