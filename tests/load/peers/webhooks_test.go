package main

import (
	"net/url"
	"testing"
)

// The example of Twilio's documentation.
func TestSignatureOfTwiliosExample(t *testing.T) {
	form := url.Values{"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675309"}, "Digits": {"1234"},
		"From": {"+14158675309"}, "To": {"+18005551212"}}
	address := "https://mycompany.com/myapp.php?foo=1&bar=2"
	if !validSignature([]byte("12345"), address, form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=") {
		t.Error("a valid signature is refused")
	}
	if validSignature([]byte("12345"), address+"3", form, "RSOYDt4T1cUTdK1PDd93/VVr8B8=") {
		t.Error("a signature of another URL is accepted")
	}
}
