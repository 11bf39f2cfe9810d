-- Applies a batch of rows with its watermark, all or nothing.
-- KEYS: head, then for each table its hash of values and its sorted set of keys.
-- ARGV: our epoch, first entry covered, last entry covered, then for each table: 1 if it is
-- ordered, how many rows with a value, with an empty one, to delete; then those rows: key and
-- value in turn, keys, keys.
-- Answers "done", "gap" or "fenced", the epoch found, the watermark.
local facts = redis.call('HMGET', KEYS[1], 'epoch', 'watermark', 'last')
local epoch, watermark, last = facts[1] or '0', facts[2] or '0', facts[3] or '0'
local ours, from, to = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if tonumber(epoch) > ours then
  return { 'fenced', epoch, watermark }
end
-- A lower epoch: the server lost our taking, and perhaps rows. It must be taken again first.
if tonumber(epoch) < ours then
  return { 'gap', epoch, watermark }
end
if to <= tonumber(watermark) then
  return { 'done', epoch, watermark }
end
-- Past the log's end: the server lost entries that were acknowledged. They are written again
-- first, so that the tables never show what the log doesn't have.
if from ~= tonumber(watermark) + 1 or to > tonumber(last) then
  return { 'gap', epoch, watermark }
end

-- Lua hands at most some 8,000 arguments to one call.
local MOST = 4000

-- Calls a command with the arguments ARGV[first .. last].
local function call(command, key, first, last)
  for at = first, last, MOST do
    redis.call(command, key, unpack(ARGV, at, math.min(at + MOST - 1, last)))
  end
end

-- Adds every step-th of the arguments ARGV[first .. last] to a sorted set, all with score 0.
local function add(key, first, last, step)
  local members = {}
  for at = first, last, step do
    members[#members + 1] = '0'
    members[#members + 1] = ARGV[at]
    if #members >= MOST then
      redis.call('ZADD', key, unpack(members))
      members = {}
    end
  end
  if #members > 0 then
    redis.call('ZADD', key, unpack(members))
  end
end

local at = 4
for key = 2, #KEYS, 2 do
  local values, order = KEYS[key], KEYS[key + 1]
  local ordered = ARGV[at] == '1'
  local set = at + 4
  local empty = set + 2 * tonumber(ARGV[at + 1])
  local delete = empty + tonumber(ARGV[at + 2])
  at = delete + tonumber(ARGV[at + 3])
  call('HSET', values, set, empty - 1)
  call('HDEL', values, empty, at - 1)
  if ordered then
    add(order, set, empty - 1, 2)
    add(order, empty, delete - 1, 1)
    call('ZREM', order, delete, at - 1)
  end
end
redis.call('HSET', KEYS[1], 'watermark', ARGV[3])
return { 'done', epoch, ARGV[3] }
