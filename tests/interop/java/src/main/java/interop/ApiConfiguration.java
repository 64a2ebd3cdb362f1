package interop;

import java.util.Objects;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtClaimValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** An API that takes access tokens of this issuer. */
@Configuration
class ApiConfiguration {

    @Bean
    SecurityFilterChain api(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(calls -> calls.anyRequest().hasAuthority("SCOPE_orders.read"))
                .oauth2ResourceServer(server -> server.jwt(Customizer.withDefaults()))
                .build();
    }

    /** Takes access tokens (RFC 9068) in the place of JWTs of any type. */
    @Bean
    JwtDecoder decoder(@Value("${ISSUER}") String issuer, @Value("${RESOURCE}") String audience) {
        var decoder = NimbusJwtDecoder.withIssuerLocation(issuer)
                .discoverJwsAlgorithms()
                .validateType(false)
                .build();
        decoder.setJwtValidator(JwtValidators.createAtJwtValidator()
                .issuer(issuer)
                .audience(audience)
                .validators(all -> all.put("client_id", new JwtClaimValidator<>("client_id", Objects::nonNull)))
                .build());
        return decoder;
    }

    @RestController
    static class WhoAmI {

        @GetMapping("/whoami")
        String whoAmI(@AuthenticationPrincipal Jwt token) {
            return token.getClaimAsString("client_id");
        }
    }
}
