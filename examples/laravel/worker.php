<?php
// artisan queue:work redis --queue=A,B: takes jobs one after another until it is told to stop.
//
//   TERM, QUIT, INT  end the job at hand, then exit 0
//   USR1             one line of health: jobs handled, last activity, memory
//
// Exit status 12: more memory in use than --memory allows; the supervisor starts a fresh one.

declare(strict_types=1);

require_once __DIR__ . '/app/queue.php';

final class Worker
{
    private bool $quit = false;
    private int $handled = 0;
    private int $failed = 0;
    private int $lastActivity;

    /** @param Queue[] $queues in order of priority */
    public function __construct(
        private Redis $redis,
        private array $queues,
        private array $jobs,
        private array $options,
    ) {
        $this->lastActivity = time();
    }

    public function run(): int
    {
        $this->listenForSignals();
        say("worker for {$this->options['queue']} ready");
        while (!$this->quit) {
            if (!$this->next()) {
                sleep((int) $this->options['sleep']);
            }
            if ($this->memory() > (int) $this->options['memory']) {
                say("more than {$this->options['memory']} MB in use");
                return 12;
            }
        }
        say("worker stops, {$this->handled} jobs handled");
        return 0;
    }

    private function next(): bool
    {
        foreach ($this->queues as $queue) {
            $job = $queue->take();
            if ($job !== null) {
                $this->handle($queue, $job);
                return true;
            }
        }
        return false;
    }

    private function handle(Queue $queue, string $job): void
    {
        $payload = json_decode($job, true);
        $name = (string) ($payload['job'] ?? '');
        $attempt = (int) ($payload['attempts'] ?? 1);
        // A job that never ends takes the worker with it; it is lost until its reservation runs out.
        pcntl_alarm((int) $this->options['timeout']);
        try {
            $handler = $this->jobs[$name] ?? throw new RuntimeException("no job is called \"$name\"");
            $handler((array) ($payload['data'] ?? []), $this->redis, $attempt);
            $queue->done($job);
            $this->handled++;
            say("$name done");
        } catch (Throwable $error) {
            $this->failed++;
            $this->fail($queue, $job, $attempt, "$name failed: {$error->getMessage()}");
        } finally {
            pcntl_alarm(0);
            $this->lastActivity = time();
        }
    }

    private function fail(Queue $queue, string $job, int $attempt, string $why): void
    {
        if ($attempt >= (int) $this->options['tries']) {
            $queue->giveUp($job);
            say("$why, given up");
        } else {
            $queue->again($job);
            say("$why, tried again");
        }
    }

    private function listenForSignals(): void
    {
        pcntl_async_signals(true);
        foreach ([SIGTERM, SIGQUIT, SIGINT] as $signal) {
            pcntl_signal($signal, function (): void {
                $this->quit = true;
            });
        }
        pcntl_signal(SIGUSR1, fn () => $this->health());
        pcntl_signal(SIGALRM, function (): void {
            say("a job took longer than {$this->options['timeout']} seconds");
            posix_kill(posix_getpid(), SIGKILL);
        });
    }

    private function health(): void
    {
        say("health handled={$this->handled} failed={$this->failed} last_activity="
            . date('H:i:s', $this->lastActivity) . " memory={$this->memory()}MB");
    }

    private function memory(): int
    {
        return intdiv(memory_get_usage(true), 1024 * 1024);
    }
}

return function (array $options): int {
    $options += ['queue' => 'default', 'tries' => '1', 'timeout' => '60', 'memory' => '128', 'sleep' => '3'];
    $redis = redis();
    // Longer than a job may take: else it would be handed out a second time while the first still runs.
    $retryAfter = (int) $options['timeout'] + 30;
    $queues = array_map(
        fn (string $name): Queue => new Queue($redis, $name, $retryAfter),
        explode(',', $options['queue']),
    );
    return (new Worker($redis, $queues, require __DIR__ . '/app/jobs.php', $options))->run();
};
