<?php
// A queue as Laravel keeps it in Redis: waiting jobs in the list `queues:NAME`, taken ones in the sorted set
// `queues:NAME:reserved` (score = when they count as lost), given up ones in the list `queues:NAME:failed`.
// Each step is one script, so a worker that dies between two of them loses nothing. Every job carries an id of its own:
// two jobs of the same text would be one in the sorted set.

declare(strict_types=1);

final class Queue
{
    // Lost jobs go back first; then the oldest is taken, with one more attempt on it.
    private const TAKE = <<<'LUA'
        local lost = redis.call('zrangebyscore', KEYS[2], '-inf', ARGV[1])
        for _, job in ipairs(lost) do
            redis.call('zrem', KEYS[2], job)
            redis.call('rpush', KEYS[1], job)
        end
        local job = redis.call('lpop', KEYS[1])
        if not job then return false end
        local payload = cjson.decode(job)
        payload['attempts'] = (payload['attempts'] or 0) + 1
        job = cjson.encode(payload)
        redis.call('zadd', KEYS[2], ARGV[2], job)
        return job
        LUA;

    private const MOVE = <<<'LUA'
        if redis.call('zrem', KEYS[1], ARGV[1]) == 1 then
            redis.call('rpush', KEYS[2], ARGV[1])
        end
        LUA;

    public function __construct(private Redis $redis, private string $name, private int $retryAfter)
    {
    }

    /** The next job as JSON, or null. */
    public function take(): ?string
    {
        $now = time();
        $keys = [$this->waiting(), $this->reserved()];
        $job = $this->redis->eval(self::TAKE, [...$keys, $now, $now + $this->retryAfter], 2);
        return is_string($job) ? $job : null;
    }

    public function done(string $job): void
    {
        $this->redis->zRem($this->reserved(), $job);
    }

    public function again(string $job): void
    {
        $this->redis->eval(self::MOVE, [$this->reserved(), $this->waiting(), $job], 2);
    }

    public function giveUp(string $job): void
    {
        $this->redis->eval(self::MOVE, [$this->reserved(), $this->waiting() . ':failed', $job], 2);
    }

    private function waiting(): string
    {
        return 'queues:' . $this->name;
    }

    private function reserved(): string
    {
        return 'queues:' . $this->name . ':reserved';
    }
}
