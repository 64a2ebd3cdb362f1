package interop;

import java.util.List;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.oauth2.client.AuthorizedClientServiceOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.ClientCredentialsOAuth2AuthorizedClientProvider;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientService;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.client.OAuth2ClientHttpRequestInterceptor;
import org.springframework.util.LinkedMultiValueMap;
import org.springframework.web.client.RestClient;

/** How tokens for an API are got: beside application.yaml. */
@Configuration
class ClientConfiguration {

    /** Calls the API: gets a token when there is none or it has ended, and sends it with every request. */
    @Bean
    RestClient orders(OAuth2AuthorizedClientManager manager) {
        var tokens = new OAuth2ClientHttpRequestInterceptor(manager);
        tokens.setClientRegistrationIdResolver(request -> "orders");
        return RestClient.builder().requestInterceptor(tokens).build();
    }

    /** One that works outside of requests too, and asks for tokens for one API (RFC 8707). */
    @Bean
    OAuth2AuthorizedClientManager manager(
            ClientRegistrationRepository registrations,
            OAuth2AuthorizedClientService clients,
            @Value("${RESOURCE}") String resource) {
        var endpoint = new RestClientClientCredentialsTokenResponseClient();
        endpoint.addParametersConverter(
                request -> new LinkedMultiValueMap<>(Map.of("resource", List.of(resource))));
        var provider = new ClientCredentialsOAuth2AuthorizedClientProvider();
        provider.setAccessTokenResponseClient(endpoint);
        var manager = new AuthorizedClientServiceOAuth2AuthorizedClientManager(registrations, clients);
        manager.setAuthorizedClientProvider(provider);
        return manager;
    }
}
