-- The caller whom a verified token names: one value for each header, in the order in which they are signed.
local SIGNED = @SIGNED@
local CLAIM = @CLAIMS@
local LIMIT = 1024

local function text_of(value)
  if value == nil or value == NULL then return "" end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) == "table" then
    if value[1] == nil and next(value) ~= nil then return nil end
    for _, item in ipairs(value) do
      if type(item) ~= "string" or item:find(",", 1, true) then return nil end
    end
    value = table.concat(value, ",")
  end
  if type(value) ~= "string" or #value > LIMIT then return nil end
  -- A control character could end a header, and servers trim blanks, which would break the signature.
  if value:find("%c") or value:find("^%s") or value:find("%s$") then return nil end
  return value
end

local function identity(header, claims)
  if type(header) ~= "table" or type(claims) ~= "table" then return nil end
  if header.typ ~= "at+jwt" or claims.iss ~= @ISSUER@ or claims.aud ~= @AUDIENCE@ then return nil end
  local values = {}
  for index, name in ipairs(SIGNED) do
    values[index] = text_of(claims[CLAIM[name]])
    if values[index] == nil then return nil end
  end
  if values[1] == "" then return nil end
  return values
end

local function message(timestamp, nonce, service, method, values)
  return table.concat({ "v1", timestamp, nonce, service, method, unpack(values) }, "\n")
end
