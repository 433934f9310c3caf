-- Only a token that the jwt plugin has verified; there is none for anonymous consumers and skipped preflights.
local token = kong.ctx.shared.authenticated_jwt_token
if type(token) ~= "string" or not kong.client.get_credential() then return end

local cjson = require "cjson.safe"
local mac = require "resty.openssl.mac"
local NULL = cjson.null

@IDENTITY@
local PROBLEM = @PROBLEM@
local TITLE = @TITLES@

local function refuse(status, code, detail)
  return kong.response.exit(status, {
    type = PROBLEM .. code, title = TITLE[code], status = status, code = code, detail = detail,
  }, {
    ["Content-Type"] = "application/problem+json",
    ["WWW-Authenticate"] = status == 401 and 'Bearer realm="mysingle", error="invalid_token"' or nil,
  })
end

local function decoded(part)
  local padded = part:gsub("%-", "+"):gsub("_", "/") .. string.rep("=", (4 - #part % 4) % 4)
  return cjson.decode(ngx.decode_base64(padded) or "")
end

local header, payload = token:match("^([^.]+)%.([^.]+)%.")
local values = header and identity(decoded(header), decoded(payload))
if not values then return refuse(401, "TOKEN_INVALID", "The access token is not accepted.") end

local key = kong.vault.get(@KEY@)
if type(key) ~= "string" or #key < 32 then
  kong.log.err("the key of the gateway is missing, or shorter than 32 bytes")
  return refuse(503, "AUTH_TEMPORARILY_UNAVAILABLE", "Authentication is away for the moment.")
end

local service = kong.router.get_service()
local timestamp = tostring(ngx.time())
local nonce = ngx.md5(token .. ngx.now() .. math.random())
local signed = message(timestamp, nonce, service and service.name or "", kong.request.get_method(), values)
local signature = mac.new(key, "HMAC", nil, "sha256"):final(signed)

local set = kong.service.request.set_header
for index, name in ipairs(SIGNED) do
  if values[index] ~= "" then set(name, values[index]) end
end
set(@TIMESTAMP@, timestamp)
set(@NONCE@, nonce)
set(@SIGNATURE@, "v1=" .. signature:gsub(".", function(c) return string.format("%02x", c:byte()) end))
