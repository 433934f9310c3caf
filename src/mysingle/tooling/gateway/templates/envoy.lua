@SHA256@
local NULL = nil
@IDENTITY@
-- Which variable holds the key of a service.
local KEYS = @KEYS@

local function secret(variable)
  local key = os.getenv(variable)
  if key == nil or #key < 32 then
    error("the variable " .. variable .. " must hold the key of the gateway, at least 32 bytes")
  end
  return key
end

-- A worker tells its nonces from those of the others by 96 random bits, and from one another by counting.
local function random_prefix()
  local source = assert(io.open("/dev/urandom", "rb"))
  local raw = source:read(12)
  source:close()
  return (raw:gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

local sign = {}
for service, variable in pairs(KEYS) do sign[service] = hmac(secret(variable)) end
local prefix, count = random_prefix(), 0

local function next_nonce()
  count = (count + 1) % 4294967296
  return string.format("%s%08x", prefix, count)
end

-- Headers are cleared before, natively; this one adds what the verified token says.
function envoy_on_request(handle)
  local verified = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  if verified == nil or verified.claims == nil then return end
  local values = identity(verified.header, verified.claims)
  if values == nil then
    handle:respond({
      [":status"] = "401", ["www-authenticate"] = 'Bearer realm="mysingle", error="invalid_token"',
    }, "The access token is not accepted.")
    return
  end
  local headers = handle:headers()
  local timestamp, nonce = tostring(os.time()), next_nonce()
  local service = handle:metadata():get("service")
  local signature = sign[service](message(timestamp, nonce, service, headers:get(":method"), values))
  for index, name in ipairs(SIGNED) do
    if values[index] ~= "" then headers:replace(name, values[index]) end
  end
  headers:replace(@TIMESTAMP@, timestamp)
  headers:replace(@NONCE@, nonce)
  headers:replace(@SIGNATURE@, "v1=" .. signature)
end
