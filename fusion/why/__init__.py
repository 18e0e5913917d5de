"""Why a diagnosis, why not another, what if a finding were different: answers measured by scoring again."""
