import { fault } from './faults.ts';
import { keyOf, namesIn, type KeyRelationship, type QualifiedName, type Relationship, type SchemaCache } from './schema-cache.ts';
import { mostSimilar } from './similar.ts';

/**
 * The one relationship from `origin` that `target` and `hint` name. `target` is the related collection, or the foreign key,
 * or its column; the hint narrows by constraint, column or junction.
 * @throws Fault PGRST200 where there is none, PGRST201 where there are several.
 */
export function findRelationship(cache: SchemaCache, origin: QualifiedName, target: string, hint: string | null): Relationship {
  const candidates = cache.relationships.get(keyOf(origin.schema, origin.name)) ?? [];
  const found = candidates.filter((relationship) => isNear(relationship, origin.schema) && isMeant(relationship, target, hint));
  const [only, ...others] = found;
  if (only === undefined) throw noRelationship(cache, origin, target, hint);
  if (others.length > 0) throw severalRelationships(origin, target, found.filter((relationship) => relationship.kind === 'key'));
  return only;
}

/** Embeds stay within the schema of the request; a computed relationship is where its function is. */
function isNear(relationship: Relationship, schema: string): boolean {
  return (relationship.kind === 'computed' ? relationship.function : relationship.target).schema === schema;
}

function isMeant(relationship: Relationship, target: string, hint: string | null): boolean {
  if (relationship.kind === 'computed') return target === relationship.function.name;
  return relationship.isSelf ? isMeantOfSelf(relationship, target, hint) : isMeantOfOther(relationship, target, hint);
}

function isMeantOfOther(relationship: KeyRelationship, target: string, hint: string | null): boolean {
  const isTarget = target === relationship.target.name;
  if (hint === null) return isTarget || (!relationship.isTargetView && (target === relationship.constraint || target === singleColumn(relationship, 0)));
  return isTarget && isHinted(relationship, hint);
}

/** A table that references itself: its own name means the children, the column's name the parent. */
function isMeantOfSelf(relationship: KeyRelationship, target: string, hint: string | null): boolean {
  const isTarget = target === relationship.target.name;
  const { cardinality } = relationship;
  if (cardinality === 'many-to-many') return isTarget && hint === relationship.junction!.name;
  if (hint === null) return (isTarget && cardinality === 'one-to-many') || (cardinality === 'many-to-one' && target === singleColumn(relationship, 0));
  return isTarget && cardinality === 'one-to-many' && hint === singleColumn(relationship, 1);
}

function isHinted(relationship: KeyRelationship, hint: string): boolean {
  if (relationship.junction !== null) return hint === relationship.junction.name;
  return hint === relationship.constraint || hint === singleColumn(relationship, 0) || hint === singleColumn(relationship, 1);
}

/** The column at one end of a key of a single column. */
function singleColumn({ columns }: KeyRelationship, end: 0 | 1): string | null {
  return columns.length === 1 ? columns[0]![end] : null;
}

function noRelationship(cache: SchemaCache, origin: QualifiedName, target: string, hint: string | null): Error {
  const hinted = hint === null ? '' : `' using the hint '${hint}`;
  return fault('PGRST200', {
    message: `Could not find a relationship between '${origin.name}' and '${target}' in the schema cache`,
    details: `Searched for a foreign key relationship between '${origin.name}' and '${target}${hinted}' in the schema '${origin.schema}', but no matches were found.`,
    hint: hintFor(cache, origin, target),
  });
}

/** A name near the parent where that is unknown, else one near the child; none where both are right and only the hint is wrong. */
function hintFor(cache: SchemaCache, origin: QualifiedName, target: string): string | null {
  const related = cache.relationships.get(keyOf(origin.schema, origin.name));
  const wrong = related === undefined ? origin.name : target;
  const names = related === undefined ? namesIn(cache.relationships.keys(), origin.schema) : related.map((relationship) => relationship.target.name);
  // A name that is right but for its case is found too, and hinting at it would not say what is wrong.
  if (names.some((name) => name.toLowerCase() === wrong.toLowerCase())) return null;
  const meant = mostSimilar(wrong, names, 0.33);
  return meant === null ? null : `Perhaps you meant '${meant}' instead of '${wrong}'.`;
}

function severalRelationships(origin: QualifiedName, target: string, found: readonly KeyRelationship[]): Error {
  const choices = found.map((relationship) => `'${relationship.target.name}!${relationship.junction?.name ?? relationship.constraint}'`).join(', ');
  return fault('PGRST201', {
    message: `Could not embed because more than one relationship was found for '${origin.name}' and '${target}'`,
    details: found.map(describe),
    hint: `Try changing '${target}' to one of the following: ${choices}. Find the desired relationship in the 'details' key.`,
  });
}

function describe(relationship: KeyRelationship): object {
  const { cardinality, origin, target, constraint, columns, junction } = relationship;
  const list = (names: readonly string[]): string => `(${names.join(', ')})`;
  const how =
    junction === null
      ? `${constraint} using ${origin.name}${list(columns.map(([own]) => own))} and ${target.name}${list(columns.map(([, other]) => other))}`
      : `${junction.name} using ${junction.originConstraint}${list(junction.originColumns.map(([, own]) => own))} and ${junction.targetConstraint}${list(junction.targetColumns.map(([, own]) => own))}`;
  return { cardinality, embedding: `${origin.name} with ${target.name}`, relationship: how };
}
