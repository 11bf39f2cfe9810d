-- Takes the tables under an epoch. KEYS: head, fence. ARGV: the epoch.
-- Answers "done" or "fenced", the epoch found, the watermark; then the store's instance.
local facts = redis.call('HMGET', KEYS[1], 'epoch', 'watermark', 'instance')
local epoch, watermark, instance = facts[1] or '0', facts[2] or '0', facts[3] or ''
if tonumber(epoch) > tonumber(ARGV[1]) then
  return { { 'fenced', epoch, watermark }, instance }
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
redis.call('SET', KEYS[2], ARGV[1])
return { { 'done', epoch, watermark }, instance }
