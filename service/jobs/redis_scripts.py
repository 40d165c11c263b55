"""The ledger's transactions, as Redis runs them: each is atomic, and may be run again.

Keys, all under one prefix (P): `job:ID` hash (spec, created, started, finished, cancelled); `done:ID` and `bad:ID`
bitmaps, a bit an item; `chunks:ID` sorted set, chunk -> time at which it is overdue; `owners:ID` hash, chunk -> worker
that leases it; `losses:ID` and `faults:ID` hashes of counts; `segments:ID` list of [name, indices]; `active:LANE`
sorted set of jobs that are not over; `finished` sorted set of those that are; `uploads` the part of it that may have
uploads; `asked` sorted set of interactive jobs, by when they were made; `hopeless` set; `gone:ID` tombstone;
`claim:HASH`; `signal:ID`; `served:LANE`; `identity`. The scripts compute their keys from ids, so they need one Redis,
not a cluster.
"""

# What several scripts start with: P is the prefix; `missing` says why there is no such job. Leases and offers run by
# Redis's own clock, since those of two machines differ; a `clock` that is not empty stands for it in tests.
PRELUDE = """
local P = KEYS[1]
local function key(kind, id) return P .. kind .. ':' .. id end
local function missing(id)
  if redis.call('EXISTS', key('job', id)) == 1 then return false end
  return redis.call('EXISTS', key('gone', id)) == 1 and 'gone' or 'unknown'
end
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local at = redis.call('TIME')
  return at[1] + at[2] / 1000000
end
local function over(id, lane, now)
  redis.call('ZREM', key('active', lane), id)
  redis.call('ZADD', P .. 'finished', now, id)
  redis.call('ZADD', P .. 'uploads', now, id)
  redis.call('DEL', key('chunks', id), key('owners', id), key('losses', id), key('faults', id))
end
"""

# What a script about one job starts with that has nothing to say where it is not there; ARGV[1] is its id.
PRELUDE_OF_A_JOB = (
    PRELUDE
    + """
local id = ARGV[1]
local why = missing(id)
if why then return why end
"""
)

# ARGV: id, spec, lane, total, now, claim key, claim body, segment, JSON of refused indices, JSON of chunks
CREATE = (
    PRELUDE
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
if lane == 'interactive' then redis.call('ZADD', P .. 'asked', now, id) end
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
    PRELUDE
    + """
local held = redis.call('HMGET', key('claim', ARGV[1]), 'id', 'body')
if not held[1] or redis.call('EXISTS', key('job', held[1])) == 0 then return '' end
return held[2] == ARGV[2] and held[1] or 'conflict'
"""
)

# The one argument is the id.
STATUS = (
    PRELUDE
    + """
local id = ARGV[1]
local why = missing(id)
if why then return {why} end
local job = redis.call('HMGET', key('job', id), 'spec', 'started', 'finished', 'cancelled')
return {'', job[1], redis.call('BITCOUNT', key('done', id)), redis.call('BITCOUNT', key('bad', id)),
  job[2] or '', job[3] or '', job[4] or ''}
"""
)

# ARGV: lane, limit, clock, seconds in which an offer must be taken, losses allowed
OFFER = (
    PRELUDE
    + """
local now, left, offers = clock(ARGV[3]), tonumber(ARGV[2]), {}
local jobs = redis.call('ZRANGE', key('active', ARGV[1]), 0, 99)
local share = math.max(1, math.ceil(left / math.max(1, #jobs)))
local function offer(id, chunk)
  redis.call('ZADD', key('chunks', id), now + ARGV[4], chunk)
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

# ARGV: id, chunk, start, stop, owner, clock, seconds
LEASE = (
    PRELUDE
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
local now = clock(ARGV[6])
redis.call('ZADD', key('chunks', id), now + ARGV[7], chunk)
redis.call('HSET', key('owners', id), chunk, ARGV[5])
redis.call('HSETNX', key('job', id), 'started', now)
return open
"""
)

# ARGV: id, chunk, owner, clock, seconds; ARGV[6] is '1' where the chunk is given back
RENEW = (
    PRELUDE
    + """
local id, chunk = ARGV[1], ARGV[2]
if redis.call('HGET', key('owners', id), chunk) ~= ARGV[3] then return 0 end
redis.call('ZADD', key('chunks', id), 'XX', clock(ARGV[4]) + ARGV[5], chunk)
if ARGV[6] == '1' then redis.call('HDEL', key('owners', id), chunk) end
return 1
"""
)

# ARGV: id, item, what to say of a job that is gone
FAULT = (
    PRELUDE
    + """
local id = ARGV[1]
if missing(id) then return tonumber(ARGV[3]) end
return redis.call('HINCRBY', key('faults', id), ARGV[2], 1)
"""
)

# ARGV: id, chunk, segment, clock, JSON of [[index, failed], ...]
FINISH = (
    PRELUDE
    + """
local id, now = ARGV[1], clock(ARGV[4])
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
    PRELUDE_OF_A_JOB
    + """
local job = redis.call('HMGET', key('job', id), 'lane', 'finished', 'cancelled')
if not job[2] and not job[3] then
  redis.call('HSET', key('job', id), 'cancelled', ARGV[2], 'finished', ARGV[2])
  over(id, job[1], ARGV[2])
end
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
