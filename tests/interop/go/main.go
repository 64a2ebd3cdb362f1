// The Go libraries as a service uses them: golang.org/x/oauth2 to call an API, go-oidc to verify tokens.
//
// It answers lines on standard input; tests/interop says which.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Timeout: 10 * time.Second})
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	client := apiClient(ctx)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "metadata":
			fmt.Println(provider.Endpoint().TokenURL)
		case "token":
			fmt.Println(token(ctx, words[1], words[2], words[3], words[4]))
		case "call":
			fmt.Println(call(client))
		case "verify":
			fmt.Println(verify(ctx, provider, words[1]))
		}
	}
}

// apiClient gets a token when there is none or it has ended, and sends it with every request.
func apiClient(ctx context.Context) *http.Client {
	config := clientcredentials.Config{
		ClientID:       os.Getenv("CLIENT_ID"),
		ClientSecret:   os.Getenv("CLIENT_SECRET"),
		TokenURL:       os.Getenv("TOKEN_ENDPOINT"),
		Scopes:         []string{os.Getenv("SCOPE")},
		EndpointParams: url.Values{"resource": {os.Getenv("RESOURCE")}},
	}
	return config.Client(ctx)
}

func call(client *http.Client) string {
	answer, err := client.Get(os.Getenv("API_URL"))
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	return fmt.Sprint(answer.StatusCode)
}

// token asks for a new token; it returns the token, or the error code of RFC 6749.
func token(ctx context.Context, way, secret, resource, scope string) string {
	config := clientcredentials.Config{
		ClientID:       os.Getenv("CLIENT_ID"),
		ClientSecret:   secret,
		TokenURL:       os.Getenv("TOKEN_ENDPOINT"),
		EndpointParams: url.Values{},
		AuthStyle:      map[string]oauth2.AuthStyle{"basic": oauth2.AuthStyleInHeader, "form": oauth2.AuthStyleInParams}[way],
	}
	if resource != "-" {
		config.EndpointParams.Set("resource", resource)
	}
	if scope != "-" {
		config.Scopes = []string{scope}
	}
	issued, err := config.Token(ctx)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return refused.ErrorCode
	}
	if err != nil {
		return err.Error()
	}
	return issued.AccessToken
}

// verify checks signature, issuer, audience and time; it returns the client's id.
func verify(ctx context.Context, provider *oidc.Provider, raw string) string {
	verifier := provider.Verifier(&oidc.Config{
		ClientID:             os.Getenv("RESOURCE"), // the audience
		SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256},
	})
	verified, err := verifier.Verify(ctx, raw)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return "refused"
	}
	return verified.Subject
}
