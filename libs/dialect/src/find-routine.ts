import { fault } from './faults.ts';
import type { MediaType } from './media-types.ts';
import { keyOf, namesIn, type QualifiedName, type Routine, type SchemaCache } from './schema-cache.ts';
import { mostSimilar } from './similar.ts';

export interface CallShape {
  readonly name: QualifiedName;
  /** The names of the arguments given. */
  readonly keys: ReadonlySet<string>;
  readonly isPost: boolean;
  readonly contentType: MediaType;
}

/**
 * Chooses among the functions of a name the one that the arguments fit.
 * @throws Fault PGRST202 where none fits, PGRST203 where several do.
 */
export function findRoutine(cache: SchemaCache, call: CallShape): Routine {
  const overloads = cache.routines.get(keyOf(call.name.schema, call.name.name)) ?? [];
  const fitting = overloads.filter((routine) => fits(routine, call));
  const found = fitting.length > 0 ? fitting : overloads.filter((routine) => takesWholeBody(routine, call));
  const [only, ...others] = found;
  if (only === undefined) throw noRoutine(cache, call, overloads);
  if (others.length > 0) throw severalRoutines(found);
  return only;
}

/** Every name given is a parameter, and every parameter without a default is given. */
function fits({ parameters }: Routine, { keys, isPost, contentType }: CallShape): boolean {
  if (parameters.length === 0) return keys.size === 0 && !(isPost && isRawType(contentType));
  const names = new Set(parameters.map(({ name }) => name));
  return [...keys].every((key) => names.has(key)) && parameters.every(({ name, isRequired }) => !isRequired || keys.has(name));
}

/** A single unnamed parameter takes the body as it is, if it is of the type that the body says to be. */
function takesWholeBody({ parameters }: Routine, { isPost, contentType }: CallShape): boolean {
  const [parameter] = parameters;
  if (!isPost || parameters.length !== 1 || parameter!.name !== '') return false;
  return wholeBodyTypes[contentType.kind]?.includes(parameter!.type) ?? false;
}

const wholeBodyTypes: Readonly<Record<string, readonly string[]>> = { json: ['json', 'jsonb'], text: ['text'], xml: ['xml'], binary: ['bytea'] };

function isRawType({ kind }: MediaType): boolean {
  return kind === 'text' || kind === 'xml' || kind === 'binary';
}

function noRoutine(cache: SchemaCache, { name, keys, isPost, contentType }: CallShape, overloads: readonly Routine[]): Error {
  const full = `${name.schema}.${name.name}`;
  const list = [...keys].sort();
  const isRaw = isPost && isRawType(contentType);
  const withParameters = list.length === 0 ? ' without parameters' : ` with parameter${list.length > 1 ? 's' : ''} ${list.join(', ')}`;
  const searched = isRaw
    ? ` with a single unnamed ${wholeBodyTypes[contentType.kind]![0]} parameter`
    : withParameters + (isPost && contentType.kind === 'json' ? ' or with a single unnamed json/jsonb parameter' : '');
  return fault('PGRST202', {
    message: `Could not find the function ${full}${isRaw ? '' : list.length === 0 ? ' without parameters' : `(${list.join(', ')})`} in the schema cache`,
    details: `Searched for the function ${full}${searched}, but no matches were found in the schema cache.`,
    hint: isRaw ? null : hintFor(cache, name, list, overloads),
  });
}

function hintFor(cache: SchemaCache, name: QualifiedName, keys: readonly string[], overloads: readonly Routine[]): string | null {
  const lists = overloads.map(({ parameters }) => `(${parameters.map((parameter) => parameter.name).sort().join(', ')})`);
  const meant = overloads.length === 0 ? mostSimilar(name.name, namesIn(cache.routines.keys(), name.schema), 0.75) : mostSimilar(`(${keys.join(', ')})`, lists, 0.33);
  if (meant === null) return null;
  return `Perhaps you meant to call the function ${name.schema}.${overloads.length === 0 ? meant : name.name + meant}`;
}

function severalRoutines(routines: readonly Routine[]): Error {
  const list = routines.map(({ schema, name, parameters }) => `${schema}.${name}(${parameters.map((parameter) => `${parameter.name} => ${parameter.type}`).join(', ')})`);
  return fault('PGRST203', {
    message: `Could not choose the best candidate function between: ${list.join(', ')}`,
    hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
  });
}
