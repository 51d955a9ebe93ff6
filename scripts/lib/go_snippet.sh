#!/usr/bin/env bash
# Generates Go stubs of the API and builds docs/snippets/send.go with them, as a client in Go would. The first
# run takes minutes and downloads modules from the Go proxy.
#
#   scripts/lib/go_snippet.sh FOLDER     creates the program FOLDER/send

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
FOLDER=$1
MODULE=example.org/send
# Versions that Debian 12's Go 1.19 can build.
GRPC=v1.59.0 PROTOBUF=v1.31.0 GEN_GRPC=v1.3.0 GENPROTO=v0.0.0-20230822172742-b8732ec3820d
FILES=(tocsin/v1/types.proto tocsin/v1/alert_service.proto tocsin/v1/status_service.proto)

mkdir -p "$FOLDER/bin"
cd "$FOLDER"
export GOBIN=$PWD/bin GOFLAGS=-mod=mod
go install "google.golang.org/protobuf/cmd/protoc-gen-go@$PROTOBUF"
go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$GEN_GRPC"
# Google's files have published packages; Tocsin's get one in this module.
PACKAGES=(google/rpc/status.proto=google.golang.org/genproto/googleapis/rpc/status
  google/api/field_behavior.proto=google.golang.org/genproto/googleapis/api/annotations
  google/type/money.proto=google.golang.org/genproto/googleapis/type/money
  "${FILES[@]/%/=$MODULE/tocsin/v1}")
OPTIONS=("${PACKAGES[@]/#/--go_opt=M}" "${PACKAGES[@]/#/--go-grpc_opt=M}")
PATH=$GOBIN:$PATH protoc -I "$ROOT/proto" --go_out=. --go-grpc_out=. "--go_opt=module=$MODULE" \
  "--go-grpc_opt=module=$MODULE" "${OPTIONS[@]}" "${FILES[@]}"
cp "$ROOT/docs/snippets/send.go" .
[[ -e go.mod ]] || go mod init "$MODULE"
go get "google.golang.org/grpc@$GRPC" "google.golang.org/genproto@$GENPROTO" \
  "google.golang.org/genproto/googleapis/api@$GENPROTO"
go mod tidy -go=1.19
go build -o send .
