"""The ledger's transactions, as Redis runs them: each is atomic, and may be run again.

Keys, all under one prefix (P): `job:ID` hash (spec, created, started, finished, cancelled); `done:ID` and `bad:ID`
bitmaps, a bit an item; `chunks:ID` sorted set, chunk -> time at which it is overdue; `owners:ID` hash, chunk -> worker
that leases it; `losses:ID` and `faults:ID` hashes of counts; `segments:ID` list of [name, indices]; `active:LANE`
sorted set of jobs that are not over; `finished` sorted set of those that are; `hopeless` set; `gone:ID` tombstone;
`claim:HASH`; `signal:ID`. The scripts compute their keys from ids, so they need one Redis, not a cluster.
"""

# What several scripts start with: P is the prefix; `missing` says why there is no such job.
_PRELUDE = """
local P = KEYS[1]
local function key(kind, id) return P .. kind .. ':' .. id end
local function missing(id)
  if redis.call('EXISTS', key('job', id)) == 1 then return false end
  return redis.call('EXISTS', key('gone', id)) == 1 and 'gone' or 'unknown'
end
local function over(id, lane, now)
  redis.call('ZREM', key('active', lane), id)
  redis.call('ZADD', P .. 'finished', now, id)
  redis.call('DEL', key('chunks', id), key('owners', id), key('losses', id), key('faults', id))
end
"""

# ARGV: id, spec, lane, total, now, claim key, claim body, segment, JSON of refused indices, JSON of chunks
CREATE = (
    _PRELUDE
    + """
local id, lane, now = ARGV[1], ARGV[3], ARGV[5]
if ARGV[6] ~= '' then
  local held = redis.call('HMGET', key('claim', ARGV[6]), 'id', 'body')
  if held[1] and held[1] ~= id and redis.call('EXISTS', key('job', held[1])) == 1 then
    return held[2] == ARGV[7] and held[1] or 'conflict'
  end
  redis.call('HSET', key('claim', ARGV[6]), 'id', id, 'body', ARGV[7])
end
if redis.call('EXISTS', key('job', id)) == 1 then return id end
redis.call('HSET', key('job', id), 'spec', ARGV[2], 'lane', lane, 'total', ARGV[4], 'created', now, 'claim', ARGV[6])
local refused = cjson.decode(ARGV[9])
for _, index in ipairs(refused) do
  redis.call('SETBIT', key('done', id), index, 1)
  redis.call('SETBIT', key('bad', id), index, 1)
end
if #refused > 0 then redis.call('RPUSH', key('segments', id), '["' .. ARGV[8] .. '",' .. ARGV[9] .. ']') end
if #refused == tonumber(ARGV[4]) then
  redis.call('HSET', key('job', id), 'finished', now)
  over(id, lane, now)
  return id
end
for _, chunk in ipairs(cjson.decode(ARGV[10])) do redis.call('ZADD', key('chunks', id), 0, chunk) end
redis.call('ZADD', key('active', lane), now, id)
return id
"""
)

# ARGV: claim key, claim body
FIND_CLAIM = (
    _PRELUDE
    + """
local held = redis.call('HMGET', key('claim', ARGV[1]), 'id', 'body')
if not held[1] or redis.call('EXISTS', key('job', held[1])) == 0 then return '' end
return held[2] == ARGV[2] and held[1] or 'conflict'
"""
)

# The one argument is the id.
STATUS = (
    _PRELUDE
    + """
local id = ARGV[1]
local why = missing(id)
if why then return {why} end
local job = redis.call('HMGET', key('job', id), 'spec', 'started', 'finished', 'cancelled')
return {'', job[1], redis.call('BITCOUNT', key('done', id)), redis.call('BITCOUNT', key('bad', id)),
  job[2] or '', job[3] or '', job[4] or ''}
"""
)

# ARGV: lane, limit, now, time by which an offer must be taken, losses allowed
OFFER = (
    _PRELUDE
    + """
local now, left, offers = tonumber(ARGV[3]), tonumber(ARGV[2]), {}
local jobs = redis.call('ZRANGE', key('active', ARGV[1]), 0, 99)
local share = math.max(1, math.ceil(left / math.max(1, #jobs)))
local function offer(id, chunk)
  redis.call('ZADD', key('chunks', id), ARGV[4], chunk)
  table.insert(offers, id); table.insert(offers, chunk)
  left = left - 1
end
for _, id in ipairs(jobs) do
  local room = math.min(share, left)
  if room <= 0 then break end
  for _, chunk in ipairs(redis.call('ZRANGEBYSCORE', key('chunks', id), '-inf', now, 'LIMIT', 0, room)) do
    if redis.call('HDEL', key('owners', id), chunk) == 0 then
      offer(id, chunk)
    else
      local start, stop = string.match(chunk, '(%d+)-(%d+)')
      start, stop = tonumber(start), tonumber(stop)
      if stop - start > 1 then
        local middle = math.floor((start + stop) / 2)
        redis.call('ZREM', key('chunks', id), chunk)
        offer(id, string.format('%d-%d', start, middle))
        offer(id, string.format('%d-%d', middle, stop))
      elseif redis.call('HINCRBY', key('losses', id), chunk, 1) >= tonumber(ARGV[5]) then
        redis.call('SADD', P .. 'hopeless', id .. ' ' .. start)
        redis.call('ZADD', key('chunks', id), '+inf', chunk)
      else
        offer(id, chunk)
      end
    end
  end
end
return offers
"""
)

# ARGV: id, chunk, start, stop, owner, now, until
LEASE = (
    _PRELUDE
    + """
local id, chunk = ARGV[1], ARGV[2]
local due = redis.call('ZSCORE', key('chunks', id), chunk)
if not due then return {} end
local owner = redis.call('HGET', key('owners', id), chunk)
if owner and owner ~= ARGV[5] then return {} end
local open = {}
for index = tonumber(ARGV[3]), tonumber(ARGV[4]) - 1 do
  if redis.call('GETBIT', key('done', id), index) == 0 then table.insert(open, index) end
end
if #open == 0 then
  redis.call('ZREM', key('chunks', id), chunk)
  return {}
end
redis.call('ZADD', key('chunks', id), ARGV[7], chunk)
redis.call('HSET', key('owners', id), chunk, ARGV[5])
redis.call('HSETNX', key('job', id), 'started', ARGV[6])
return open
"""
)

# ARGV: id, chunk, owner, time; ARGV[5] is '1' where the chunk is given back
RENEW = (
    _PRELUDE
    + """
local id, chunk = ARGV[1], ARGV[2]
if redis.call('HGET', key('owners', id), chunk) ~= ARGV[3] then return 0 end
redis.call('ZADD', key('chunks', id), 'XX', ARGV[4], chunk)
if ARGV[5] == '1' then redis.call('HDEL', key('owners', id), chunk) end
return 1
"""
)

# ARGV: id, chunk, segment, now, JSON of [[index, failed], ...]
FINISH = (
    _PRELUDE
    + """
local id, now = ARGV[1], ARGV[4]
local items = cjson.decode(ARGV[5])
for _, item in ipairs(items) do redis.call('SREM', P .. 'hopeless', id .. ' ' .. string.format('%d', item[1])) end
local job = redis.call('HMGET', key('job', id), 'lane', 'total', 'cancelled')
if not job[1] then return 'gone' end
if job[3] then return '[]' end
local accepted = {}
for _, item in ipairs(items) do
  if redis.call('SETBIT', key('done', id), item[1], 1) == 0 then
    table.insert(accepted, string.format('%d', item[1]))
    if item[2] == 1 then redis.call('SETBIT', key('bad', id), item[1], 1) end
  end
end
local written = '[' .. table.concat(accepted, ',') .. ']'
if #accepted > 0 then
  redis.call('RPUSH', key('segments', id), '["' .. ARGV[3] .. '",' .. written .. ']')
  if redis.call('BITCOUNT', key('done', id)) == tonumber(job[2]) then
    redis.call('HSET', key('job', id), 'finished', now)
    over(id, job[1], now)
  end
end
redis.call('ZREM', key('chunks', id), ARGV[2])
redis.call('HDEL', key('owners', id), ARGV[2])
return written
"""
)

# ARGV: id, now
CANCEL = (
    _PRELUDE
    + """
local id = ARGV[1]
local why = missing(id)
if why then return why end
local job = redis.call('HMGET', key('job', id), 'lane', 'finished', 'cancelled')
if not job[2] and not job[3] then
  redis.call('HSET', key('job', id), 'cancelled', ARGV[2], 'finished', ARGV[2])
  over(id, job[1], ARGV[2])
end
return ''
"""
)

# ARGV: id, seconds to remember it
DELETE = (
    _PRELUDE
    + """
local id = ARGV[1]
local why = missing(id)
if why then return why end
local job = redis.call('HMGET', key('job', id), 'lane', 'claim')
over(id, job[1], 0)
redis.call('ZREM', P .. 'finished', id)
redis.call('DEL', key('job', id), key('done', id), key('bad', id), key('segments', id), key('signal', id))
if job[2] and job[2] ~= '' and redis.call('HGET', key('claim', job[2]), 'id') == id then
  redis.call('DEL', key('claim', job[2]))
end
redis.call('SET', key('gone', id), 1, 'EX', ARGV[2])
return ''
"""
)

# ARGV: owner, milliseconds
ACQUIRE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
