export { collectionFault, collectionFaults } from './collection-faults.ts';
export { CollectionsService } from './collections.service.ts';
