-- ARGV: id, records to pass over, bytes. Answer: which run it is, of those that had the id; then lines up to about so many bytes. Only the journal's end gives fewer:
-- as records are appended a commit at a time, whoever reads to the end sees whole commits.
local born = redis.call('HGET', root .. 'run:' .. ARGV[1], 'born')
if not born then return {''} end
local answer, from, left = {born}, tonumber(ARGV[2]), tonumber(ARGV[3])
while left > 0 do
  local lines = redis.call('LRANGE', root .. 'journal:' .. ARGV[1], from, from + 31)
  for _, line in ipairs(lines) do
    answer[#answer + 1] = line
    left = left - #line
  end
  if #lines < 32 then return answer end
  from = from + 32
end
-- There may be more.
answer[1] = '+' .. born
return answer
