package interop;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.stream.Collectors;

/** The HTTP client of the JDK with its defaults: in clear text it offers HTTP/2 with every first request. */
public final class JdkProgram {

    private static final Map<String, String> ENV = System.getenv();

    private JdkProgram() {}

    public static void main(String[] arguments) {
        HttpClient client = HttpClient.newHttpClient();
        Lines.answer(Map.of("cleartext", words -> {
            var answer = client.send(tokenRequest(), BodyHandlers.ofString());
            return answer.statusCode() + " " + answer.version();
        }));
    }

    private static HttpRequest tokenRequest() {
        var form = Map.of(
                "grant_type", "client_credentials",
                "client_id", ENV.get("CLIENT_ID"),
                "client_secret", ENV.get("CLIENT_SECRET"));
        String body = form.entrySet().stream()
                .map(field -> field.getKey() + "=" + URLEncoder.encode(field.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
        return HttpRequest.newBuilder(URI.create(ENV.get("CLEARTEXT_GATE") + "/token"))
                .header("Content-Type", "application/x-www-form-urlencoded")
                .timeout(Duration.ofSeconds(10))
                .POST(BodyPublishers.ofString(body))
                .build();
    }
}
