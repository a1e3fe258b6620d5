# The verbs of `cargo xtask`, for those who type `just`. `just` alone lists them.

[private]
default:
    @just --list --unsorted

# Build everything and run the gateway
serve *ARGS:
    cargo xtask serve {{ARGS}}

# Build everything and run all tests
test *ARGS:
    cargo xtask test {{ARGS}}

# Feed mutated bytes to what parses bytes from outside
fuzz *SECONDS:
    cargo xtask fuzz {{SECONDS}}

# Build the components into target/components
guests:
    cargo xtask guests

# Build everything and install the gateway
install:
    cargo xtask install

# Measure the gateway
bench *ARGS:
    cargo xtask bench {{ARGS}}

# See what abuses do to calm clients
abuse *ARGS:
    cargo xtask abuse {{ARGS}}

# Ten minutes of faults and reloads
soak *ARGS:
    cargo xtask soak {{ARGS}}

# Run the tests that need real clients
e2e:
    cargo xtask e2e

# Check format, lints, docs and dependencies
lint:
    cargo xtask lint

# Renew the vendored facts and prices of models
update-models *ARGS:
    cargo xtask update-models {{ARGS}}
