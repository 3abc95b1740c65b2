"""The frozen half of the ensemble: specialists, their artifact, what each is fed with."""
