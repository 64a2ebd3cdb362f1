// openid-client: a client of an API.
import * as openid from 'openid-client'
import { answerLines } from './answering.js'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, API_URL, RESOURCE, SCOPE, RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET } = process.env

const config = await openid.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET)
let issued

async function call() {
  issued ??= await openid.clientCredentialsGrant(config, { resource: RESOURCE, scope: SCOPE })
  const answer = await openid.fetchProtectedResource(config, issued.access_token, new URL(API_URL), 'GET')
  return answer.status
}

async function token(way, secret, resource, scope) {
  const authentication = { basic: openid.ClientSecretBasic, form: openid.ClientSecretPost }[way](secret)
  const asking = new openid.Configuration(config.serverMetadata(), CLIENT_ID, undefined, authentication)
  const parameters = Object.entries({ resource, scope }).filter(([, value]) => value !== '-')
  try {
    return (await openid.clientCredentialsGrant(asking, Object.fromEntries(parameters))).access_token
  } catch (error) {
    return errorCode(error)
  }
}

// A wrong secret by HTTP Basic is answered with a challenge; the error code is in the body all the same.
async function errorCode(error) {
  if (error instanceof openid.WWWAuthenticateChallengeError) return (await error.response.json()).error
  return error.error ?? error.message
}

async function introspect(token) {
  const resourceServer = await openid.discovery(new URL(ISSUER), RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET)
  const { active } = await openid.tokenIntrospection(resourceServer, token)
  return active
}

await answerLines({
  metadata: () => config.serverMetadata().token_endpoint,
  token,
  call: () => call().catch((error) => error.status ?? error.message),
  introspect,
})
