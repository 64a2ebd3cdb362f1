// oauth4webapi: the strictest of all, as client and as API.
import * as oauth from 'oauth4webapi'
import { answerLines, refused } from './answering.js'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, API_URL, RESOURCE, SCOPE, RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET } = process.env

const issuer = new URL(ISSUER)
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }))
const client = { client_id: CLIENT_ID }
let issued

async function grant(authentication, parameters) {
  const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, parameters)
  return oauth.processClientCredentialsResponse(server, client, response)
}

async function call() {
  issued ??= await grant(oauth.ClientSecretBasic(CLIENT_SECRET), { resource: RESOURCE, scope: SCOPE })
  const answer = await oauth.protectedResourceRequest(issued.access_token, 'GET', new URL(API_URL))
  return answer.status
}

async function token(way, secret, resource, scope) {
  const authentication = { basic: oauth.ClientSecretBasic, form: oauth.ClientSecretPost }[way](secret)
  const parameters = Object.entries({ resource, scope }).filter(([, value]) => value !== '-')
  try {
    return (await grant(authentication, parameters)).access_token
  } catch (error) {
    return errorCode(error)
  }
}

// A wrong secret by HTTP Basic is answered with a challenge; the error code is in the body all the same.
async function errorCode(error) {
  if (error instanceof oauth.WWWAuthenticateChallengeError) return (await error.response.json()).error
  return error.error ?? error.message
}

async function verify(token) {
  const request = new Request(API_URL, { headers: { Authorization: `Bearer ${token}` } })
  const claims = await oauth.validateJwtAccessToken(server, request, RESOURCE, { signingAlgorithms: ['ES256', 'RS256'] })
  return claims.client_id
}

async function introspect(token) {
  const api = { client_id: RESOURCE_SERVER_ID }
  const authentication = oauth.ClientSecretBasic(RESOURCE_SERVER_SECRET)
  const response = await oauth.introspectionRequest(server, api, authentication, token)
  return (await oauth.processIntrospectionResponse(server, api, response)).active
}

// From the URL of the API alone (RFC 9728): its 401 names its metadata, and they name the issuer.
async function fromApi() {
  const challenge = (await fetch(API_URL)).headers.get('WWW-Authenticate')
  const [, location] = challenge.match(/resource_metadata="([^"]+)"/)
  const found = await oauth.processResourceDiscoveryResponse(new URL(API_URL), await fetch(location))
  return found.authorization_servers[0]
}

await answerLines({
  metadata: () => server.token_endpoint,
  token,
  call: () => call().catch((error) => error.status ?? error.message),
  verify: (token) => verify(token).catch(refused),
  introspect,
  'from-api': fromApi,
})
