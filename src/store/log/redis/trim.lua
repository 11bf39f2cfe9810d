-- Drops the groups that end before a number, but none that the tables don't have.
-- KEYS: head, log. ARGV: our epoch, number of the first entry that must stay.
-- Answers the epoch found. A process that was fenced drops nothing.
local facts = redis.call('HMGET', KEYS[1], 'epoch', 'watermark')
local epoch, watermark = facts[1] or '0', facts[2] or '0'
if tonumber(epoch) <= tonumber(ARGV[1]) then
  -- A server that failed over may have lost batches of which the caller was told that they were
  -- written. Numbers are written as texts: Lua would write a large one as 1e+15.
  local keep = math.min(tonumber(ARGV[2]), tonumber(watermark) + 1)
  redis.call('XTRIM', KEYS[2], 'MINID', '=', string.format('%.0f-0', keep))
end
return { epoch }
