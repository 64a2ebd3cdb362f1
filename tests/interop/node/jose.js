// jose: an API that verifies tokens by itself.
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { answerLines, refused } from './answering.js'

const { ISSUER, RESOURCE } = process.env

const keys = createRemoteJWKSet(new URL(`${ISSUER}/jwks`))

async function verify(token) {
  const { payload } = await jwtVerify(token, keys, {
    issuer: ISSUER,
    audience: RESOURCE,
    typ: 'at+jwt',
    algorithms: ['ES256', 'RS256'],
    requiredClaims: ['exp', 'client_id'],
  })
  return payload.client_id
}

await answerLines({ verify: (token) => verify(token).catch(refused) })
