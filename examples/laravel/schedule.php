<?php
// artisan schedule:work: at each full minute, queues what is due.

declare(strict_types=1);

return function (): int {
    $quit = false;
    pcntl_async_signals(true);
    foreach ([SIGTERM, SIGQUIT, SIGINT] as $signal) {
        pcntl_signal($signal, function () use (&$quit): void {
            $quit = true;
        });
    }
    $redis = redis();
    say('scheduler ready');
    $next = intdiv(time(), 60) * 60 + 60;
    while (!$quit) {
        if (time() < $next) {
            sleep($next - time());
            continue;
        }
        $redis->rPush('queues:default', json_encode(['job' => 'heartbeat', 'data' => ['at' => $next]]));
        say('heartbeat queued');
        $next += 60;
    }
    say('scheduler stops');
    return 0;
};
