"""SeaweedFS: the object store on one machine."""
