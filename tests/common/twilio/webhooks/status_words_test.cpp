#include "common/twilio/webhooks/status_words.h"

#include <gtest/gtest.h>

namespace tocsin::twilio {
namespace {

struct Word {
  records::v1::WebhookKind kind;
  const char* word;
  const char* answered_by;
  v1::AttemptStatus status;  // unspecified: not a status
};

class StatusWords : public testing::TestWithParam<Word> {};

TEST_P(StatusWords, MapToAnAttemptStatus) {
  records::v1::WebhookRecord webhook;
  webhook.set_kind(GetParam().kind);
  webhook.set_answered_by(AnsweredByOf(GetParam().answered_by));
  SetProviderStatus(webhook, GetParam().word);
  EXPECT_EQ(webhook.status(), GetParam().status);
  EXPECT_EQ(webhook.provider_status(), GetParam().word);
}

constexpr auto kSms = records::v1::WEBHOOK_KIND_SMS_STATUS;
constexpr auto kCall = records::v1::WEBHOOK_KIND_VOICE_STATUS;
INSTANTIATE_TEST_SUITE_P(
    Twilio, StatusWords,
    testing::Values(
        Word{kSms, "queued", "", v1::ATTEMPT_STATUS_SENT},
        Word{kSms, "accepted", "", v1::ATTEMPT_STATUS_SENT},
        Word{kSms, "sending", "", v1::ATTEMPT_STATUS_SENT},
        Word{kSms, "sent", "", v1::ATTEMPT_STATUS_SENT},
        Word{kSms, "delivered", "", v1::ATTEMPT_STATUS_DELIVERED},
        Word{kSms, "read", "", v1::ATTEMPT_STATUS_DELIVERED},
        Word{kSms, "undelivered", "", v1::ATTEMPT_STATUS_UNDELIVERED},
        Word{kSms, "failed", "", v1::ATTEMPT_STATUS_FAILED},
        Word{kSms, "canceled", "", v1::ATTEMPT_STATUS_FAILED},
        Word{kSms, "received", "", v1::ATTEMPT_STATUS_UNSPECIFIED},
        Word{kSms, "completed", "", v1::ATTEMPT_STATUS_UNSPECIFIED},
        Word{kCall, "initiated", "", v1::ATTEMPT_STATUS_SENT},
        Word{kCall, "ringing", "", v1::ATTEMPT_STATUS_RINGING},
        Word{kCall, "in-progress", "", v1::ATTEMPT_STATUS_RINGING},
        Word{kCall, "in-progress", "unknown", v1::ATTEMPT_STATUS_RINGING},
        Word{records::v1::WEBHOOK_KIND_VOICE_GATHER, "1", "", v1::ATTEMPT_STATUS_ANSWERED_HUMAN},
        Word{records::v1::WEBHOOK_KIND_VOICE_GATHER, "", "", v1::ATTEMPT_STATUS_UNSPECIFIED},
        Word{kCall, "in-progress", "human", v1::ATTEMPT_STATUS_ANSWERED_HUMAN},
        Word{kCall, "in-progress", "machine_start", v1::ATTEMPT_STATUS_ANSWERED_MACHINE},
        Word{kCall, "completed", "", v1::ATTEMPT_STATUS_DELIVERED},
        Word{kCall, "busy", "", v1::ATTEMPT_STATUS_BUSY},
        Word{kCall, "no-answer", "", v1::ATTEMPT_STATUS_NO_ANSWER},
        Word{kCall, "failed", "", v1::ATTEMPT_STATUS_FAILED},
        Word{kCall, "canceled", "", v1::ATTEMPT_STATUS_FAILED},
        Word{records::v1::WEBHOOK_KIND_SMS_INBOUND, "delivered", "",
             v1::ATTEMPT_STATUS_UNSPECIFIED}));

struct Failure {
  v1::AttemptStatus status;
  const char* word;
  int code;
  records::v1::ProviderErrorClass error_class;
};

class ErrorClasses : public testing::TestWithParam<Failure> {};

TEST_P(ErrorClasses, FollowFromStatusAndCode) {
  EXPECT_EQ(ErrorClassOf(GetParam().status, GetParam().word, GetParam().code),
            GetParam().error_class);
}

INSTANTIATE_TEST_SUITE_P(Twilio, ErrorClasses,
                         testing::Values(Failure{v1::ATTEMPT_STATUS_DELIVERED, "delivered", 0,
                                                 records::v1::PROVIDER_ERROR_CLASS_UNSPECIFIED},
                                         Failure{v1::ATTEMPT_STATUS_FAILED, "failed", 0,
                                                 records::v1::PROVIDER_ERROR_CLASS_UNKNOWN},
                                         Failure{v1::ATTEMPT_STATUS_FAILED, "canceled", 0,
                                                 records::v1::PROVIDER_ERROR_CLASS_CANCELLED},
                                         Failure{
                                             v1::ATTEMPT_STATUS_UNDELIVERED, "undelivered", 30008,
                                             records::v1::PROVIDER_ERROR_CLASS_TRANSIENT_DELIVERY},
                                         Failure{v1::ATTEMPT_STATUS_SENT, "sent", 21610,
                                                 records::v1::PROVIDER_ERROR_CLASS_OPT_OUT}));

}  // namespace
}  // namespace tocsin::twilio
