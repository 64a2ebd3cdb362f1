package interop;

import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.json.JsonParserFactory;
import org.springframework.http.HttpStatusCode;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AuthorizationException;
import org.springframework.security.oauth2.server.resource.introspection.BadOpaqueTokenException;
import org.springframework.security.oauth2.server.resource.introspection.SpringOpaqueTokenIntrospector;
import org.springframework.util.LinkedMultiValueMap;
import org.springframework.web.client.RestClient;
import org.springframework.web.client.RestClientResponseException;

/** Spring Boot with Spring Security: a client of an API, and an API that verifies tokens by itself. */
public final class SpringProgram {

    @SpringBootApplication
    static class Application {}

    private static final Map<String, String> ENV = System.getenv();

    private final RestClient orders;
    private final RestClient ownApi;
    private final ClientRegistration registration;

    private SpringProgram(RestClient orders, String ownUrl, ClientRegistration registration) {
        this.orders = orders;
        this.ownApi = RestClient.create(ownUrl);
        this.registration = registration;
    }

    public static void main(String[] arguments) {
        var context = SpringApplication.run(Application.class);
        String port = context.getEnvironment().getProperty("local.server.port");
        var registrations = context.getBean(ClientRegistrationRepository.class);
        var program = new SpringProgram(
                context.getBean("orders", RestClient.class),
                "http://127.0.0.1:" + port,
                registrations.findByRegistrationId("orders"));
        Lines.answer(Map.of(
                "metadata", words -> program.registration.getProviderDetails().getTokenUri(),
                "token", words -> program.token(words[1], words[2], words[3], words[4]),
                "call", words -> program.call(),
                "verify", words -> program.verify(words[1]),
                "introspect", words -> introspect(words[1])));
    }

    private int call() {
        return orders.get().uri(ENV.get("API_URL")).exchange((request, answer) -> answer.getStatusCode().value());
    }

    /** A new token, or the error code of RFC 6749. */
    private String token(String way, String secret, String resource, String scope) {
        var asking = ClientRegistration.withClientRegistration(registration)
                .clientSecret(secret)
                .clientAuthenticationMethod(
                        way.equals("basic")
                                ? ClientAuthenticationMethod.CLIENT_SECRET_BASIC
                                : ClientAuthenticationMethod.CLIENT_SECRET_POST)
                .scope(scope.equals("-") ? new String[0] : new String[] {scope})
                .build();
        var client = new RestClientClientCredentialsTokenResponseClient();
        if (!resource.equals("-")) {
            client.addParametersConverter(
                    request -> new LinkedMultiValueMap<>(Map.of("resource", List.of(resource))));
        }
        try {
            var answer = client.getTokenResponse(new OAuth2ClientCredentialsGrantRequest(asking));
            return answer.getAccessToken().getTokenValue();
        } catch (OAuth2AuthorizationException error) {
            return errorCode(error);
        }
    }

    /** Spring reads the error of a 400 alone; that of a 401 (a wrong secret by HTTP Basic) is in the cause. */
    private static String errorCode(OAuth2AuthorizationException error) {
        if (error.getCause() instanceof RestClientResponseException answer) {
            var body = JsonParserFactory.getJsonParser().parseMap(answer.getResponseBodyAsString());
            return String.valueOf(body.get("error"));
        }
        return error.getError().getErrorCode();
    }

    /** Calls the API that this program serves. */
    private String verify(String token) {
        return ownApi.get()
                .uri("/whoami")
                .headers(headers -> headers.setBearerAuth(token))
                .exchange((request, answer) -> answer.getStatusCode().equals(HttpStatusCode.valueOf(401))
                        ? "refused"
                        : answer.bodyTo(String.class));
    }

    /** Asks the issuer as the API's own client. */
    private static boolean introspect(String token) {
        var introspector = SpringOpaqueTokenIntrospector.withIntrospectionUri(ENV.get("ISSUER") + "/introspect")
                .clientId(ENV.get("RESOURCE_SERVER_ID"))
                .clientSecret(ENV.get("RESOURCE_SERVER_SECRET"))
                .build();
        try {
            introspector.introspect(token);
            return true;
        } catch (BadOpaqueTokenException inactive) {
            return false;
        }
    }
}
