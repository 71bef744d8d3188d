/**
 * The part of the Compose specification that docker/compose.yaml uses, strictly: what is not named here is refused,
 * so that a mistyped key cannot be silently ignored. A new key is added here with the type that the specification gives it.
 */
const text = { type: 'string', minLength: 1 } as const;
const texts = { type: 'array', items: text, minItems: 1, uniqueItems: true } as const;
const duration = { type: 'string', pattern: '^(\\d+(us|ms|s|m|h))+$' } as const;
const bytes = { type: 'string', pattern: '^\\d+[bkmg]b?$' } as const;
const environment = { type: 'object', propertyNames: { pattern: '^[A-Z][A-Z0-9_]*$' }, additionalProperties: { type: 'string' } } as const;
const strict = (properties: object, required: readonly string[] = []) => ({ type: 'object', properties, required, additionalProperties: false }) as const;

const healthcheck = strict(
  {
    // A list begins with the word that says how it is run.
    test: { type: 'array', minItems: 2, items: text, prefixItems: [{ enum: ['CMD', 'CMD-SHELL'] }] },
    interval: duration,
    timeout: duration,
    start_period: duration,
    retries: { type: 'integer', minimum: 1 },
  },
  ['test'],
);

const service = {
  ...strict({
    image: { type: 'string', pattern: '^[a-z0-9./-]+:[A-Za-z0-9._-]+(@sha256:[0-9a-f]{64})?$' },
    build: strict({ context: text, dockerfile: text, target: text, args: environment }, ['context']),
    command: { type: 'array', items: text, minItems: 1 },
    environment,
    depends_on: { type: 'object', additionalProperties: strict({ condition: { enum: ['service_started', 'service_healthy', 'service_completed_successfully'] } }, ['condition']) },
    // Short syntax: address:published:target, where a variable may stand with its default.
    ports: { type: 'array', items: { type: 'string', pattern: '^(\\d+\\.){3}\\d+:(\\d+|\\$\\{[A-Z_]+:-\\d+\\}):\\d+$' } },
    volumes: { type: 'array', items: { type: 'string', pattern: '^[a-z][a-z0-9_-]*:/[^:]+(:ro)?$' } },
    tmpfs: { type: 'array', items: { type: 'string', pattern: '^/' } },
    healthcheck,
    init: { type: 'boolean' },
    read_only: { type: 'boolean' },
    cap_drop: texts,
    security_opt: texts,
    shm_size: bytes,
    restart: { enum: ['no', 'always', 'on-failure', 'unless-stopped'] },
    stop_grace_period: duration,
  }),
  oneOf: [{ required: ['image'] }, { required: ['build'] }],
} as const;

export const composeSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]*$' },
    services: { type: 'object', propertyNames: { pattern: '^[a-zA-Z0-9._-]+$' }, additionalProperties: service },
    volumes: { type: 'object', additionalProperties: { type: 'null' } },
  },
  patternProperties: { '^x-': {} },
  required: ['name', 'services'],
  additionalProperties: false,
} as const;
