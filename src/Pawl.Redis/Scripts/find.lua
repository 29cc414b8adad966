-- ARGV: id. Answer: its head, or nil.
return head(ARGV[1]) or false
