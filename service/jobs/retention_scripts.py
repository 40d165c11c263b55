"""The ledger's transaction about a job that is to go. See `redis_scripts`."""

from service.jobs.redis_scripts import PRELUDE_OF_A_JOB

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
