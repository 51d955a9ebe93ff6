package main

import "testing"

func TestAdmissionAsText(t *testing.T) {
	admission := admission{alertID: "1", digest: digestOf([]byte("request")), state: admitted}
	if parsed := parseAdmission(admission.String()); parsed != admission {
		t.Errorf("%v became %v", admission, parsed)
	}
	if parsed := parseAdmission("1 2"); parsed.digest != "" {
		t.Errorf("an invalid text became %v", parsed)
	}
}
