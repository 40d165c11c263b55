"""The ledger's transactions about what is over: which jobs are to go, and their going. See `redis_scripts`."""

from service.jobs.redis_scripts import PRELUDE, PRELUDE_OF_A_JOB

# ARGV: `uploads` or `asked`, time, limit. Jobs older than these sets are entered into them once.
DUE = (
    PRELUDE
    + """
if redis.call('SETNX', P .. 'adopted', 1) == 1 then
  local ended = redis.call('ZRANGE', P .. 'finished', 0, -1, 'WITHSCORES')
  for at = 1, #ended, 2 do
    local job = redis.call('HMGET', key('job', ended[at]), 'lane', 'created')
    redis.call('ZADD', P .. 'uploads', ended[at + 1], ended[at])
    if job[1] == 'interactive' then redis.call('ZADD', P .. 'asked', job[2], ended[at]) end
  end
  redis.call('ZUNIONSTORE', P .. 'asked', 2, P .. 'asked', key('active', 'interactive'), 'AGGREGATE', 'MIN')
end
return redis.call('ZRANGEBYSCORE', P .. ARGV[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
"""
)

# ARGV: id, seconds to remember it
DELETE = (
    PRELUDE_OF_A_JOB
    + """
local job = redis.call('HMGET', key('job', id), 'lane', 'claim')
over(id, job[1], 0)
for _, kind in ipairs({'finished', 'uploads', 'asked'}) do redis.call('ZREM', P .. kind, id) end
redis.call('DEL', key('job', id), key('done', id), key('bad', id), key('segments', id), key('signal', id))
if job[2] and job[2] ~= '' and redis.call('HGET', key('claim', job[2]), 'id') == id then
  redis.call('DEL', key('claim', job[2]))
end
redis.call('SET', key('gone', id), 1, 'EX', ARGV[2])
return ''
"""
)
