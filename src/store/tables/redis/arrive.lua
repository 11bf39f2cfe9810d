-- Ends a batch's transaction: the tables have all of its rows.
--
-- Redis carries out what is left of a transaction in which a command failed. One on a row fails
-- only if its key was given another type by somebody, so that is looked for here.
--
-- KEYS: head, then the batch's hashes, then its sorted sets
-- ARGV: the new watermark, how many of the keys are hashes
for at = 2, #KEYS do
  local meant = 'zset'
  if at <= tonumber(ARGV[2]) + 1 then
    meant = 'hash'
  end
  local found = redis.call('TYPE', KEYS[at]).ok
  if found ~= meant and found ~= 'none' then
    return redis.error_reply('WRONGTYPE of a table: ' .. KEYS[at] .. ' is a ' .. found)
  end
end
return redis.call('HSET', KEYS[1], 'watermark', ARGV[1])
