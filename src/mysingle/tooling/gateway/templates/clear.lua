-- Whatever the client says about a caller goes first: clear_header removes every occurrence, and has no limit.
local CLEARED = @CLEARED@
local clear = kong.service.request.clear_header
for _, name in ipairs(CLEARED) do
  clear(name)
  clear((name:gsub("%-", "_")))
  clear((name:gsub("%-", "_", 1)))
  clear((name:gsub("%-(%w+)$", "_%1")))
end
