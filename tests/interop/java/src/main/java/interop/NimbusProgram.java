package interop;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.oauth2.sdk.ClientCredentialsGrant;
import com.nimbusds.oauth2.sdk.Scope;
import com.nimbusds.oauth2.sdk.TokenIntrospectionRequest;
import com.nimbusds.oauth2.sdk.TokenIntrospectionResponse;
import com.nimbusds.oauth2.sdk.TokenRequest;
import com.nimbusds.oauth2.sdk.TokenResponse;
import com.nimbusds.oauth2.sdk.auth.ClientAuthentication;
import com.nimbusds.oauth2.sdk.auth.ClientSecretBasic;
import com.nimbusds.oauth2.sdk.auth.ClientSecretPost;
import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.http.HTTPRequest;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.id.Issuer;
import com.nimbusds.oauth2.sdk.token.AccessToken;
import com.nimbusds.oauth2.sdk.token.BearerAccessToken;
import com.nimbusds.openid.connect.sdk.op.OIDCProviderMetadata;
import java.net.URI;
import java.util.Map;
import java.util.Set;

/** The SDK of Nimbus: a client of an API, and an API that verifies tokens by itself. */
public final class NimbusProgram {

    private static final Map<String, String> ENV = System.getenv();
    private static final ClientID CLIENT = new ClientID(ENV.get("CLIENT_ID"));

    private final OIDCProviderMetadata metadata;
    private final DefaultJWTProcessor<SecurityContext> verifier;
    private AccessToken issued;

    private NimbusProgram() throws Exception {
        metadata = OIDCProviderMetadata.resolve(new Issuer(ENV.get("ISSUER")), 5000, 5000);
        verifier = verifier();
    }

    public static void main(String[] arguments) throws Exception {
        var program = new NimbusProgram();
        Lines.answer(Map.of(
                "metadata", words -> program.metadata.getTokenEndpointURI(),
                "token", words -> program.token(words[1], new Secret(words[2]), words[3], words[4]),
                "call", words -> program.call(),
                "verify", words -> program.verify(words[1]),
                "introspect", words -> program.introspect(words[1])));
    }

    private int call() throws Exception {
        if (issued == null) {
            issued = apiToken();
        }
        var request = new HTTPRequest(HTTPRequest.Method.GET, URI.create(ENV.get("API_URL")));
        request.setAuthorization(issued.toAuthorizationHeader());
        return request.send().getStatusCode();
    }

    /** A token for one API. */
    private AccessToken apiToken() throws Exception {
        var secret = new Secret(ENV.get("CLIENT_SECRET"));
        var request = new TokenRequest.Builder(
                        metadata.getTokenEndpointURI(), new ClientSecretBasic(CLIENT, secret), new ClientCredentialsGrant())
                .scope(Scope.parse(ENV.get("SCOPE")))
                .resource(URI.create(ENV.get("RESOURCE")))
                .build();
        var answer = TokenResponse.parse(request.toHTTPRequest().send());
        return answer.toSuccessResponse().getTokens().getAccessToken();
    }

    /** A new token, or the error code of RFC 6749. */
    private String token(String way, Secret secret, String resource, String scope) throws Exception {
        ClientAuthentication authentication =
                way.equals("basic") ? new ClientSecretBasic(CLIENT, secret) : new ClientSecretPost(CLIENT, secret);
        var builder = new TokenRequest.Builder(
                metadata.getTokenEndpointURI(), authentication, new ClientCredentialsGrant());
        if (!resource.equals("-")) {
            builder.resource(URI.create(resource));
        }
        if (!scope.equals("-")) {
            builder.scope(Scope.parse(scope));
        }
        var answer = TokenResponse.parse(builder.build().toHTTPRequest().send());
        return answer.indicatesSuccess()
                ? answer.toSuccessResponse().getTokens().getAccessToken().getValue()
                : answer.toErrorResponse().getErrorObject().getCode();
    }

    /** Checks signature, type, issuer, audience and time. */
    private DefaultJWTProcessor<SecurityContext> verifier() throws Exception {
        var keys = JWKSourceBuilder.create(metadata.getJWKSetURI().toURL()).build();
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
        processor.setJWSKeySelector(
                new JWSVerificationKeySelector<>(Set.of(JWSAlgorithm.ES256, JWSAlgorithm.RS256), keys));
        processor.setJWTClaimsSetVerifier(new DefaultJWTClaimsVerifier<>(
                ENV.get("RESOURCE"),
                new JWTClaimsSet.Builder().issuer(ENV.get("ISSUER")).build(),
                Set.of("exp", "client_id")));
        return processor;
    }

    private String verify(String token) throws Exception {
        try {
            return verifier.process(token, null).getStringClaim("client_id");
        } catch (BadJOSEException error) {
            return Lines.refused(error);
        }
    }

    /** Asks the issuer as the API's own client. */
    private boolean introspect(String token) throws Exception {
        var api = new ClientSecretBasic(
                new ClientID(ENV.get("RESOURCE_SERVER_ID")), new Secret(ENV.get("RESOURCE_SERVER_SECRET")));
        var endpoint = metadata.getIntrospectionEndpointURI();
        var request = new TokenIntrospectionRequest(endpoint, api, new BearerAccessToken(token));
        return TokenIntrospectionResponse.parse(request.toHTTPRequest().send()).toSuccessResponse().isActive();
    }
}
