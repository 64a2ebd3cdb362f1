// The peer: oidc-provider with everything in memory. PORT and COUNT of clients are the arguments.
import Provider from 'oidc-provider';

const [port, count] = process.argv.slice(2).map(Number);
const clients = Array.from({ length: count }, (_, number) => ({
  client_id: `client-${number}`,
  client_secret: `secret-${number}-${'s'.repeat(32)}`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: 'client_secret_basic',
}));
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    devInteractions: { enabled: false },
  },
  scopes: ['orders.read'],
  ttl: { ClientCredentials: 43200 },
});
provider.listen(port, '127.0.0.1');
