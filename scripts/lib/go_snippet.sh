#!/usr/bin/env bash
# Makes Go stubs of the API and builds docs/snippets/send.go with them, in the folder given: the way a Go
# program of yours would. Takes minutes and modules from the Go proxy the first time.
#
#   scripts/lib/go_snippet.sh FOLDER     the program is FOLDER/send

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
FOLDER=$1
MODULE=example.org/send
# Versions that Debian 12's Go 1.19 builds.
GRPC=v1.59.0 PROTOBUF=v1.31.0 GEN_GRPC=v1.3.0
FILES=(tocsin/v1/types.proto tocsin/v1/alert_service.proto tocsin/v1/status_service.proto)

mkdir -p "$FOLDER/bin"
cd "$FOLDER"
export GOBIN=$PWD/bin GOFLAGS=-mod=mod
go install "google.golang.org/protobuf/cmd/protoc-gen-go@$PROTOBUF"
go install "google.golang.org/grpc/cmd/protoc-gen-go-grpc@$GEN_GRPC"
OPTIONS=("--go_opt=Mgoogle/rpc/status.proto=google.golang.org/genproto/googleapis/rpc/status"
  "--go-grpc_opt=Mgoogle/rpc/status.proto=google.golang.org/genproto/googleapis/rpc/status")
for file in "${FILES[@]}"; do
  OPTIONS+=("--go_opt=M$file=$MODULE/tocsin/v1" "--go-grpc_opt=M$file=$MODULE/tocsin/v1")
done
PATH=$GOBIN:$PATH protoc -I "$ROOT/proto" --go_out=. --go-grpc_out=. "--go_opt=module=$MODULE" \
  "--go-grpc_opt=module=$MODULE" "${OPTIONS[@]}" "${FILES[@]}"
cp "$ROOT/docs/snippets/send.go" .
[[ -e go.mod ]] || go mod init "$MODULE"
go get "google.golang.org/grpc@$GRPC"
go mod tidy -go=1.19
go build -o send .
