"""What an operator's tools ask of a running bot: metrics, and whether it is well."""
