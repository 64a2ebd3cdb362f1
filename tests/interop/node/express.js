// express-oauth2-jwt-bearer: an API on Express.
import express from 'express'
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer'
import { answerLines } from './answering.js'

const { ISSUER, RESOURCE, SCOPE } = process.env

const app = express()
app.use(auth({ issuerBaseURL: ISSUER, audience: RESOURCE, tokenSigningAlg: 'ES256', strict: true }))
app.get('/orders', requiredScopes(SCOPE), (request, response) => response.send(request.auth.payload.client_id))

const listening = app.listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${listening.address().port}/orders`
  await answerLines({
    async verify(token) {
      const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } })
      return answer.ok ? answer.text() : { 401: 'refused' }[answer.status] ?? answer.status
    },
  })
})
