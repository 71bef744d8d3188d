import { isService, type Caller } from '@mainstay/domain';
import { createCollection, isDatabaseError, listCollections, type Collection, type Database, type DatabaseError } from '@mainstay/persistence';
import { collectionFault } from './collection-faults.ts';
import { parseCollection } from './parse-collection.ts';

/** The shape of the data, for whoever holds the service key: what collections there are, and new ones. */
export class CollectionsService {
  constructor(
    private readonly database: Database,
    private readonly schemas: readonly string[],
  ) {}

  async list(caller: Caller): Promise<Collection[]> {
    refuseOthers(caller);
    return listCollections(this.database, caller, this.schemas);
  }

  /** Makes a table that is closed from its birth: row security is on, and only those whom `access` names may read. */
  async create(caller: Caller, body: unknown): Promise<Collection> {
    refuseOthers(caller);
    const draft = parseCollection(body, this.schemas);
    try {
      await createCollection(this.database, caller, draft);
    } catch (error) {
      throw isDatabaseError(error) ? refusalOf(error, `${draft.schema}.${draft.name}`) : error;
    }
    const [made] = await listCollections(this.database, caller, [draft.schema], draft.name);
    if (made === undefined) throw new Error(`${draft.schema}.${draft.name} was made and is not there`);
    return made;
  }
}

function refuseOthers(caller: Caller): void {
  if (!isService(caller)) throw collectionFault('service_key_needed');
}

function refusalOf(error: DatabaseError, name: string): unknown {
  switch (error.code) {
    case '42P07':
    case '42710':
      return collectionFault('collection_exists', { message: `There is a collection "${name}" already`, cause: error });
    // A name that every table has already (ctid), or a type that cannot be a key.
    case '42701':
    case '42704':
      return collectionFault('collection_not_valid', { message: error.message, cause: error });
    case '42501':
    case '3F000':
      return collectionFault('collection_not_allowed', { message: error.message, cause: error });
    default:
      return error;
  }
}
